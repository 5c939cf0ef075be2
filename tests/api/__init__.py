"""The HTTP API as its users see it: boto3, the AWS CLI, raw sockets, and our own client beside them."""
