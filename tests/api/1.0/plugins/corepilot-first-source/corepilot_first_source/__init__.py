"""Reads the configuration from a file."""
