"""The gRPC SDK: native Python values, deadlines, retries that tell definite failures from indefinite ones."""
