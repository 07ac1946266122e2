"""What starts a job: from the settings of its `when` to a trigger (ContainerPilot contract, section 3.6)."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from corepilot.config.diagnostics.complaints import Complaint
from corepilot.config.diagnostics.source_map import Path
from corepilot.config.diagnostics.verdict import Verdict
from corepilot.model.event import EXITS, SIGNALS
from corepilot.model.trigger import AllOf, AnyOf, Never, OnEvent, OnInterval, OnSignal, Trigger, When

Settings = Mapping[str, Any]

_AT_START = When()
_INNER = {"all": "any", "any": "all"}


def when_of(data: Settings | None, job: str, path: Path, verdict: Verdict) -> When:
    """What starts a job.

    Args:
        data: What is valid of the settings of its `when`, or None without one.
        job: The job's name.
        path: Where the `when` is.
        verdict: Takes what is wrong with a condition.
    """
    if data is None:
        return _AT_START
    when = _unthrottled(data, job, path, verdict)
    throttle_s = data.get("throttle")
    if throttle_s is not None and not when.each:
        rule = "only a job that events start again and again can be throttled"
        complaint = Complaint("when-conflict", rule, "write each, or leave throttle out", key=True)
        verdict.complain((*path, "throttle"), complaint)
    return when.changed(throttle_s=throttle_s)


def _unthrottled(data: Settings, job: str, path: Path, verdict: Verdict) -> When:
    if data.get("interval") is not None:
        return When(OnInterval(data["interval"]))
    seconds = data.get("timeout")
    timeout_s = seconds if seconds is not None and seconds > 0 else None
    for kind in ("all", "any"):
        if data.get(kind) is not None:
            found = _Conditions(job, verdict).of(kind, data[kind], (*path, kind))
            return When(found[0], each=found[1], timeout_s=timeout_s)
    source = data.get("source", "")
    if source in SIGNALS:
        return When(OnSignal(source), each=True, timeout_s=timeout_s)
    for kind in ("once", "each"):
        if data.get(kind):
            return When(OnEvent(data[kind], source), kind == "each", timeout_s)
    return When(Never(), timeout_s=timeout_s)


def leaves(trigger: Trigger, path: Path = ()) -> Iterator[tuple[Path, OnEvent]]:
    """The events of a trigger, each with where it is written."""
    if isinstance(trigger, OnEvent):
        yield path, trigger
    elif isinstance(trigger, AllOf | AnyOf):
        key = "all" if isinstance(trigger, AllOf) else "any"
        for index, one in enumerate(trigger.triggers):
            yield from leaves(one, (*path, key, index))


class _Conditions:
    """Reads `all` and `any`, in which every event is waited for once, or each time.

    Args:
        job: The job's name.
        verdict: Takes what is wrong.
    """

    def __init__(self, job: str, verdict: Verdict) -> None:
        self._job, self._verdict = job, verdict
        self._each: bool | None = None

    def of(self, kind: str, elements: Sequence[Settings | None], path: Path) -> tuple[Trigger, bool]:
        """The trigger of a condition, and whether it starts the job each time."""
        triggers = self._triggers(kind, elements, path)
        return (AllOf if kind == "all" else AnyOf)(triggers), bool(self._each)

    def _triggers(self, kind: str, elements: Sequence[Settings | None], path: Path) -> tuple[Trigger, ...]:
        if not elements:
            self._complain(path, "it names no event", 'write [{ source: "db", once: "healthy" }, …]')
        inner = _INNER[kind]
        found: list[Trigger] = []
        for index, element in enumerate(elements):
            place = (*path, index)
            if element is not None and element.get(inner) is not None:
                triggers = self._triggers(inner, element[inner], (*place, inner))
                found.append((AllOf if inner == "all" else AnyOf)(triggers))
            else:
                found.append(self._event(element or {}, place))
        return tuple(found)

    def _event(self, data: Settings, path: Path) -> Trigger:
        source = data.get("source", "")
        key = "each" if data.get("each") or source in SIGNALS else "once"
        code = data.get(key, "")
        if source not in SIGNALS and not code:
            if not self._verdict.refuses(path):
                self._complain(path, "it names no event", 'write { source: "db", once: "healthy" }')
            return Never()
        if self._each is not None and self._each != (key == "each"):
            rule = "some events of this when are waited for once, and this one is not, or the other way round"
            self._complain(path, rule, "write once everywhere, or each; a signal counts as each")
        self._each = key == "each"
        if source == self._job and code in EXITS:
            rule = "an exit under the job's own name is its own, and starts nothing"
            self._complain((*path, key), rule, "name another job as the source")
        return OnSignal(source) if source in SIGNALS else OnEvent(code, source)

    def _complain(self, path: Path, rule: str, hint: str) -> None:
        self._verdict.complain(path, Complaint("bad-condition", rule, hint))
