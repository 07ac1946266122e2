"""What version 2 does again and again: onChange of backends, tasks, and sensors."""

from corepilot.migrate.draft import Draft
from corepilot.migrate.layout import Piece, decide, member, nested, note, quoted, short
from corepilot.migrate.names import service_name
from corepilot.migrate.outline import OutlineNode
from corepilot.migrate.reading import DYNAMIC, through_shell
from corepilot.migrate.services import limit

_METRIC = ("namespace", "subsystem", "name", "help", "type")

_EARLIER = (
    "version 2 ran this for the first time when its interval had passed since preStart; now it runs at the start, too."
)


def backends(draft: Draft) -> list[Piece]:
    """The jobs of the backends; returns their watches."""
    old = draft.old
    watches: list[Piece] = []
    seen: set[str] = set()
    for element in draft.elements("backends"):
        conditions = old.conditions(element)
        level = len(conditions)
        name, remarks = service_name(old, element, "whoever registers it has to change as well")
        job = f'"onChange-{name}"'
        if old.meaning(old.one(element, "name") or element) is not DYNAMIC:
            job = quoted(draft.names.give(f"onChange-{name}"))
        if name in seen:
            remarks += decide("two watches of one name have the same events: each onChange runs for both")
        seen.add(name)
        keys = [
            Piece(conditions, [f"name: {job},"]),
            *old.missing(element, "onChange=exec"),
            *old.copies(element, "onChange", "exec"),
            *limit(old, element),
            Piece(conditions, [f'when: {{ source: "watch.{name}", each: "changed" }},']),
            *old.strangers(element, ("name", "poll", "onChange", "tag", "timeout")),
        ]
        draft.job(conditions, keys)
        watch = [Piece(conditions, [f'name: "{name}",']), *old.missing(element, "poll=interval")]
        watch += old.copies(element, "poll", "interval")
        watch += old.copies(element, "tag")
        watches.append(Piece(conditions, [*remarks, *nested("", watch, "{}", level)]))
    return watches


def tasks(draft: Draft) -> None:
    """What runs each time a while has passed."""
    old = draft.old
    for number, element in enumerate(draft.elements("tasks"), 1):
        conditions = old.conditions(element)
        otherwise = old.program(element, "command") or f"task-{number}"
        name, remarks = draft.names.derived(old, "", old.one(element, "name"), otherwise)
        keys = [
            Piece(conditions, [f"name: {name},"]),
            *old.missing(element, "command=exec", "frequency=when: { interval: … }"),
            *old.copies(element, "command", "exec"),
            Piece(conditions, short("when", old.copies(element, "frequency", "interval"), len(conditions))),
            *limit(old, element),
            *old.strangers(element, ("name", "command", "frequency", "timeout")),
        ]
        draft.job(conditions, keys, [*remarks, *decide(_EARLIER)])


def sensors(draft: Draft, telemetry: OutlineNode) -> list[Piece]:
    """The jobs of the sensors; returns their metrics."""
    old = draft.old
    metrics: list[Piece] = []
    for number, element in enumerate(old.elements("sensors", telemetry), 1):
        conditions = old.conditions(element)
        keys = [piece for key in _METRIC for piece in old.copies(element, key)]
        metrics.append(Piece(conditions, nested("", keys, "{}", len(conditions))))
        name, remarks = draft.names.derived(old, "sensor-", old.one(element, "name"), str(number))
        parts = (old.one(element, key) for key in ("namespace", "subsystem", "name"))
        public = "_".join(filter(None, (old.inner(part) for part in parts if part is not None)))
        script = f'value=$({{command}}) && exec corepilot metric \\"{public}=$value\\"'
        check = old.one(element, "check")
        job = [
            Piece(conditions, [f"name: {name},"]),
            *old.missing(element, "check=exec", "poll=when: { interval: … }"),
            Piece(conditions, member("exec", through_shell(old, check, "sensor", script)) if check else []),
            Piece(conditions, short("when", old.copies(element, "poll", "interval"), len(conditions))),
            *old.strangers(element, (*_METRIC, "poll", "check", "timeout")),
        ]
        remark = "What the check prints becomes the value of the metric, through a shell and a client of corepilot."
        draft.job(conditions, job, [*remarks, *note(remark)])
    return metrics
