"""One module an API operation: the folder is the table of contents of the API."""
