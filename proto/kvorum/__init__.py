"""The root of the public API's protobuf packages; protoc's include path is the folder above."""
