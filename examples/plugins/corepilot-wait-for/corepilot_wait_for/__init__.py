"""Waits until ports can be connected to."""
