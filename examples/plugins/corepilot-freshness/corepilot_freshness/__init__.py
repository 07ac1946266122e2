"""Tells whether a file was written lately."""
