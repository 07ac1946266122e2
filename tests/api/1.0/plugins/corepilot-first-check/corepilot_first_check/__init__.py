"""Compares a number in a file with a limit."""
