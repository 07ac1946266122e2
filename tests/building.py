"""Jobs for unit tests, in few words."""

from collections.abc import Mapping
from typing import Any

from corepilot.model.command import Command
from corepilot.model.job import Check, Dependency, Job, RestartPolicy, StopPolicy
from corepilot.model.service import Registration, Service
from corepilot.model.trigger import Never, OnEvent, OnInterval, OnSignal, When

EXEC = ("program",)
SERVICE = Service(Registration("app-host", "app", "127.0.0.1", 80))
CHECK = Check(interval_s=1, ttl_s=5, command=Command(("check",)), timeout_s=1.0)


def when(
    kind: str,
    code: str = "",
    source: str = "global",
    *,
    every_s: float = 0,
    timeout_s: float | None = None,
    throttle_s: float | None = None,
) -> When:
    if kind == "interval":
        return When(OnInterval(every_s), each=True)
    if kind == "signal":
        return When(OnSignal(source), each=True, timeout_s=timeout_s)
    if kind == "never":
        return When(Never(), timeout_s=timeout_s)
    return When(OnEvent(code, source), kind == "each", timeout_s, throttle_s)


def job(
    name: str = "app",
    *,
    exec: tuple[str, ...] | None = EXEC,  # noqa: A002  - as in configurations
    restarts: int | RestartPolicy = 0,
    health: Check | tuple[Check, ...] | None = None,
    hook_timeout_s: float | None = None,
    stop_timeout_s: float = 5.0,
    stop_after: tuple[str, ...] = (),
    drain_s: float | None = None,
    needs: Mapping[str, str] | None = None,
    **settings: Any,
) -> Job:
    return Job(
        name,
        Command(exec) if exec is not None else None,
        restarts=restarts if isinstance(restarts, RestartPolicy) else RestartPolicy(restarts),
        checks=(health,) if isinstance(health, Check) else health or (),
        depends_on=tuple([Dependency(name, condition) for name, condition in (needs or {}).items()]),  # type: ignore[arg-type]  # as a test writes it
        stop=StopPolicy(stop_timeout_s, hook_timeout_s, stop_after, drain_s=drain_s),
        **settings,
    )
