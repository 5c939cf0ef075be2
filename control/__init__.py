"""The region's metadata as a replicated state machine, and what every process shares to act on it."""
