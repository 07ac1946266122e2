"""A file of JSON lines as a telemetry sink, for where there is no server to tell."""
