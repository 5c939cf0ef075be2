"""The storage process: one store, many replicas, one group commit."""
