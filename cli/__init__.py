"""The `kvorum` command: the only place that wires routers and nodes together."""
