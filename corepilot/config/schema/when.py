"""The settings of `jobs[].when`: an event, a clock, conditions of several events (ContainerPilot contract, section 3).

`all` and `any` are ours. What is in them is a `when` again, so that nobody has to learn another way to name an event.
"""

from typing import Any, ClassVar

from marshmallow import ValidationError, validates_schema

from corepilot.config.diagnostics.complaints import Complaint, did_you_mean, shown
from corepilot.config.schema.fields import Duration, Text
from corepilot.config.schema.sections import Array, Object, Section
from corepilot.model.event import CODES

_SOURCE = (
    "whose event: a job, `check.<job>`, `watch.<name>`, `lock.<name>`, `render.<name>`, `global`, `SIGHUP` or `SIGUSR2`"
)


class EventName(Text):
    """The name of an event, in its exact case. An empty text is like no key."""

    kind = "event"

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> str:
        text = super()._deserialize(value, attr, data, **kwargs)
        if text and text not in CODES:
            hint = did_you_mean(text, sorted(CODES)) or "events: " + ", ".join(sorted(CODES))
            raise ValidationError([Complaint("unknown-event", f"{shown(text)} is not an event", hint)])
        return text


class EventSection(Section):
    """An event, within conditions of conditions."""

    meant: ClassVar = {"event": "write once or each instead of event"}

    source = Text(_SOURCE, default="", example="watch.db", derives=("trigger",))
    once = EventName("the first such event", default="", derives=("trigger",))
    each = EventName("each such event", default="", derives=("trigger",))

    @validates_schema(skip_on_field_errors=False)
    def judge(self, data: dict[str, Any], **_: Any) -> None:
        """Only one of several ways to name what is waited for."""
        one_of(data, self.ways)

    ways: ClassVar[tuple[str, ...]] = ("once", "each")


class AllElement(EventSection):
    """One of `when.all`: an event, or any of several."""

    any = Array("or one of several", Object("an event", EventSection), derives=("trigger",))
    ways = ("once", "each", "any")


class AnyElement(EventSection):
    """One of `when.any`: an event, or all of several."""

    all = Array("or each of several, in any order", Object("an event", EventSection), derives=("trigger",))
    ways = ("once", "each", "all")


class WhenSection(Section):
    """`jobs[].when`."""

    meant: ClassVar = {
        "event": "write once or each instead of event",
        "frequency": "write interval",
        "poll": "write interval",
    }
    ways: ClassVar = ("interval", "once", "each", "all", "any")

    source = Text(_SOURCE, default="", example="watch.db", derives=("trigger",))
    once = EventName("start at the first such event", default="", derives=("trigger",))
    each = EventName("start at each such event", default="", derives=("trigger", "each"))
    all = Array(
        "start when each of these events has come, in any order; with `each` whenever they have since the last time",
        Object("a condition", AllElement),
        derives=("trigger", "each"),
    )
    any = Array(
        "start when one of these events comes; with `each` whenever one does",
        Object("a condition", AnyElement),
        derives=("trigger", "each"),
    )
    interval = Duration(
        "start at once, then every time this has passed", minimum=0.001, example="30s", derives=("trigger",)
    )
    timeout = Duration(
        "publish `timerExpired` and give up if nothing has started it by then; not used beside `interval`",
        example="1m",
    )
    throttle = Duration(
        "with `each`: least time from one start to the next, restarts included; events that come sooner, or during a "
        "run, are one start",
        minimum=0.001,
        default_text="each event is a start",
        example="1s",
    )

    @validates_schema(skip_on_field_errors=False)
    def judge(self, data: dict[str, Any], **_: Any) -> None:
        """Only one of several ways to start."""
        one_of(data, self.ways)

    def not_used(self, data: dict[str, Any]) -> dict[str, str]:
        """ContainerPilot does not look at `timeout` beside `interval`."""
        return {"timeout": "it has no effect beside interval: leave it out"} if data.get("interval") else {}


def one_of(data: dict[str, Any], ways: tuple[str, ...]) -> None:
    """Refuse what is given in more than one way.

    Args:
        data: What is valid, by attribute.
        ways: The keys of which one may be given.

    Raises:
        ValidationError: Two are.
    """
    given = [key for key in ways if data.get(key) not in (None, "")]
    if len(given) > 1:
        rule = f"{given[0]} is given as well, and only one of {', '.join(ways[:-1])} and {ways[-1]} may be"
        raise ValidationError({given[1]: [Complaint("when-conflict", rule, "leave one of them out", key=True)]})
    if data.get("source") and given and given[0] in {"all", "any"}:
        rule = f"each event of {given[0]} has a source of its own"
        raise ValidationError({"source": [Complaint("when-conflict", rule, "leave it out", key=True)]})
