"""`/status` as ContainerPilot has it (contract, section 9.2), from what `corepilot status` shows."""

from collections.abc import Mapping
from typing import Any


def containerpilot_status(status: Mapping[str, Any], version: str) -> dict[str, object]:
    """The JSON object of `/status`: empty lists are null, and a job is `unknown` until a check has spoken."""
    services = [
        {"Name": job["name"], "Address": job["address"], "Port": job["port"], "Status": _health(job)}
        for job in status["jobs"]
        if job["port"]
    ]
    jobs = [{"Name": job["name"], "Status": _health(job)} for job in status["jobs"] if not job["port"]]
    return {
        "Version": version,
        "Jobs": jobs or None,
        "Services": services or None,
        "Watches": [watch["name"] for watch in status["watches"]] or None,
    }


def _health(job: Mapping[str, Any]) -> str:
    if job["name"] == "containerpilot":
        return "healthy"  # telemetry's own job: always, also in maintenance (contract, section 4.1, "always-healthy")
    return str(job["health"]) if job["health"] in {"healthy", "unhealthy", "maintenance"} else "unknown"
