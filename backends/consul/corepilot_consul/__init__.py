"""Consul as a discovery backend of corepilot."""
