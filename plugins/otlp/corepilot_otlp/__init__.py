"""OpenTelemetry as a telemetry sink of corepilot."""
