"""Consensus of one group as a library without I/O: messages, ticks and proposals in, one Ready out."""
