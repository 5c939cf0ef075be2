"""Shipping a partition's changes to peer regions, and merging what they ship."""
