"""What the catalog is told of a job, as one of its machines (contract, sections 4.4, 4.5 and 7). Pure.

The state is the status that the catalog was last asked to hold; None while the job's service is not advertised.
"""

from __future__ import annotations

from corepilot.jobs.state import Action, Advertise, Report, Withdraw
from corepilot.model.service import Service, Status

PASSING_OUTPUT = "ok"
"""What a passing report says (contract, section 7.2)."""

Result = tuple[Status | None, tuple[Action, ...]]


def begin(service: Service | None) -> Result:
    """With an initial status it is advertised before anything happens (contract, section 7.1)."""
    if service is None or service.initial_status is None:
        return None, ()
    return service.initial_status, (Advertise(service.registration, service.initial_status, ""),)


def passed(service: Service | None, advertised: Status | None) -> Result:
    """A passing result: the first one registers, and each one is reported (contract, section 7.2)."""
    if service is None:
        return None, ()
    if advertised is None:
        return "passing", (Advertise(service.registration, "passing", PASSING_OUTPUT),)
    return "passing", (Report(service.registration.id, "passing", PASSING_OUTPUT),)


def failed(service: Service | None, advertised: Status | None, output: str) -> Result:
    """A failing result. One that was never advertised stays so."""
    if service is None or advertised is None:
        return advertised, ()
    return "critical", (Report(service.registration.id, "critical", output),)


def withdraw(service: Service | None) -> Result:
    """Leave the catalog. It is told also if it was never asked: an earlier life may have left the instance there."""
    return None, (Withdraw(service.registration),) if service is not None else ()


def replan(old: Service | None, new: Service | None, advertised: Status | None) -> Result:
    """The service is configured otherwise from now on; a status that the catalog holds is kept."""
    if old == new:
        return advertised, ()
    actions: list[Action] = []
    moved = old is not None and (new is None or new.registration.id != old.registration.id)
    if old is not None and moved and advertised is not None:
        actions.append(Withdraw(old.registration))
    if new is None:
        return None, tuple(actions)
    if advertised is None:
        status, more = begin(new)
        return status, (*actions, *more)
    if old is None or new.registration != old.registration:
        actions.append(Advertise(new.registration, advertised, ""))
    return advertised, tuple(actions)
