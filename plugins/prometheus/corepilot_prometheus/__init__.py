"""Prometheus as a telemetry sink of corepilot."""
