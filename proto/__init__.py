"""The wire: the public API's protobuf and generated code, and the framing between our own processes."""
