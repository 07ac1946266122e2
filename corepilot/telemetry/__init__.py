"""Metrics, and the contract of the sinks they go to."""
