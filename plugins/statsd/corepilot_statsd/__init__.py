"""StatsD as a telemetry sink of corepilot."""
