"""The stateless front process: doors, validation, routing."""
