"""Keeps services in one JSON file."""
