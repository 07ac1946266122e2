"""Writes a line for everything that happens."""
