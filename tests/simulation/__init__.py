"""Simulations: virtual time, seeded faults."""
