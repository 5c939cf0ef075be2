"""Kvorum: a self-hosted, DynamoDB-compatible, active-active replicated store."""

__version__ = "0.1.0"
