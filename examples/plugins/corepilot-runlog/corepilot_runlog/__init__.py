"""Writes each run of a job as a line of JSON."""
