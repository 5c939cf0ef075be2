"""Shared test tools: virtual clock, simulated network and disks, cluster processes."""
