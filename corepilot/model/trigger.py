"""What starts a job: a tree of events, conditions and clocks."""

from __future__ import annotations

from corepilot.model.event import GLOBAL, Event
from corepilot.model.value import Value


class OnEvent(Value):
    """An event with this code and this source (contract, section 4.3: matched exactly)."""

    code: str
    source: str


class OnInterval(Value):
    """At startup, and then each time this many seconds have passed."""

    every_s: float


class OnSignal(Value):
    """A signal by its name, SIGHUP or SIGUSR2."""

    signal: str


class AnyOf(Value):
    """One of several."""

    triggers: tuple[Trigger, ...]


class AllOf(Value):
    """Each of several, in any order."""

    triggers: tuple[Trigger, ...]


class Never(Value):
    """A `when` that names no event."""


Trigger = OnEvent | OnInterval | OnSignal | AnyOf | AllOf | Never

STARTUP = OnEvent("startup", GLOBAL)


class When(Value):
    """When a job runs.

    Attributes:
        trigger: What starts it.
        each: Each time, and not only the first.
        timeout_s: Seconds after its beginning until, without a first start, `timerExpired` is published; or None.
        throttle_s: Seconds from one start to the next at least; what asks for a start meanwhile is one start. Or None.
    """

    trigger: Trigger = STARTUP
    each: bool = False
    timeout_s: float | None = None
    throttle_s: float | None = None


class Hook(Value):
    """That a job runs because another one stops (contract, section 4.6).

    Attributes:
        source: The other one's name.
        code: "stopping": it runs before the other is signalled; "stopped": after the other's processes are gone.
    """

    source: str
    code: str


def hook_of(when: When) -> Hook | None:
    """The hook that a `when` makes of its job, or None."""
    trigger = when.trigger
    if isinstance(trigger, OnEvent) and trigger.code in {"stopping", "stopped"}:
        return Hook(trigger.source, trigger.code)
    return None


def keys(trigger: Trigger) -> tuple[tuple[str, str], ...]:
    """The events that a trigger may be moved by, as `Event.key`."""
    if isinstance(trigger, OnEvent):
        return ((trigger.code, trigger.source),)
    if isinstance(trigger, OnSignal):
        return (("signal", trigger.signal),)
    if isinstance(trigger, OnInterval):
        return (("startup", GLOBAL),)
    if isinstance(trigger, AnyOf | AllOf):
        return tuple([key for one in trigger.triggers for key in keys(one)])
    return ()


def described(trigger: Trigger) -> str:
    """The events of a trigger in words; "" for one that names none."""
    if isinstance(trigger, AnyOf | AllOf):
        between = " or " if isinstance(trigger, AnyOf) else " and "
        parts = [(one, described(one)) for one in trigger.triggers]
        return between.join([f"({text})" if isinstance(one, AnyOf | AllOf) else text for one, text in parts])
    return " or ".join([f"{code} of {source}" for code, source in keys(trigger)])


def matches(trigger: Trigger, event: Event, seen: frozenset[tuple[str, str]] = frozenset()) -> bool:
    """Whether an event fires a trigger.

    Args:
        trigger: The trigger.
        event: What happens now.
        seen: The keys of events that came before, for `AllOf`.
    """
    if isinstance(trigger, AnyOf):
        return any(matches(one, event, seen) for one in trigger.triggers)
    if isinstance(trigger, AllOf):
        now = seen | {event.key}
        return event.key in keys(trigger) and all(not now.isdisjoint(keys(one)) for one in trigger.triggers)
    return event.key in keys(trigger)
