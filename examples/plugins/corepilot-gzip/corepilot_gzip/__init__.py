"""Reads a configuration that was compressed with gzip."""
