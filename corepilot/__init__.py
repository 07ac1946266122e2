"""An init system for the inside of a container: jobs, health checks, service discovery, telemetry."""
