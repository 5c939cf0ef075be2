"""kvorum.v1: the public gRPC API. The module is generated from kvorum.proto by `make proto`."""
