"""The settings of `jobs[].restarts` and `jobs[].successStatuses` (ContainerPilot contract, section 3)."""

from collections.abc import Mapping
from typing import Any

from marshmallow import ValidationError, validates_schema

from corepilot.config.diagnostics.complaints import Complaint, did_you_mean, shown
from corepilot.config.schema.fields import Choice, Duration, Setting
from corepilot.config.schema.sections import Object, Section
from corepilot.config.text.units import weak_int
from corepilot.model.job import UNLIMITED

WINDOW_MAX = 1000
"""The greatest `limit` beside `within`: the time of each restart is remembered for so long."""

_WORDS = ("never", "unlimited")


class RestartLimit(Setting):
    """How often a job is started again, in ContainerPilot's words."""

    kind = "whole number, or one of `never`, `unlimited`"
    also = ""

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> Any:
        del attr, data, kwargs
        return restart_limit(value, self.also)


def restart_limit(value: Any, also: str = "") -> int:
    """The number of restarts that a value means.

    Args:
        value: As it was written.
        also: What could be written instead, for the message.

    Raises:
        ValidationError: It means none.
    """
    if value == "unlimited":
        return UNLIMITED
    if value == "never":
        return 0
    if isinstance(value, str) and _is_count(value.removeprefix("+")):
        return int(value)
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 2**63:
        return int(value)
    hint = (isinstance(value, str) and did_you_mean(value, _WORDS)) or f"write a number, never or unlimited{also}"
    rule = f"{shown(value)} is neither a number from 0, nor never, nor unlimited"
    raise ValidationError([Complaint("bad-restarts", rule, hint)])


class RestartsSection(Section):
    """`jobs[].restarts`, where it is an object."""

    on = Choice(
        "after which runs the job is started again",
        {"always": "always", "failure": "failure", "success": "success", "never": "never"},
        default="always",
    )
    limit = RestartLimit("how often", default_text="`unlimited`", example="5")
    within = Duration(
        "`limit` holds for any stretch of this length, and not for the life of the job; then it has failed for good",
        minimum=0.001,
        default_text="for its life",
        example="1m",
    )
    delay = Duration(
        "time from the end of a run to the next one; doubled after each run in a row that fails",
        minimum=0.01,
        default_text="none for the first three in a row, then 250ms, doubled; see "
        "[restart delay](job-states.md#restart-delay)",
        example="1s",
    )
    max_delay = Duration(
        "what the delay grows to; a run of 30 s or more starts it afresh",
        key="maxDelay",
        minimum=0.01,
        default_text="30s, or `delay` if that is longer",
        example="10s",
    )

    @validates_schema(skip_on_field_errors=False)
    def judge(self, data: dict[str, Any], **_: Any) -> None:
        """What does not go together."""
        limit, within = data.get("limit", UNLIMITED), data.get("within")
        errors: dict[str, Any] = {}
        if within is not None and limit == UNLIMITED:
            hint = "add limit, or leave within out"
            errors["within"] = [Complaint("bad-restarts", "there is no limit that it could hold for", hint, key=True)]
        elif within is not None and limit > WINDOW_MAX:
            rule = f"{limit} is more than {WINDOW_MAX}, the most that can be counted beside within"
            errors["limit"] = [Complaint("bad-restarts", rule, f"write {WINDOW_MAX} or less, or leave within out")]
        delay, most = data.get("delay"), data.get("max_delay")
        if delay is not None and most is not None and most < delay:
            hint = "write a maxDelay that is no shorter than delay"
            errors["maxDelay"] = [Complaint("bad-restarts", f"{most:g} s is shorter than delay, {delay:g} s", hint)]
        if errors:
            raise ValidationError(errors)


class Restarts(Object):
    """How often a job is started again: a number or a word, as for ContainerPilot, or an object."""

    kind = "whole number, one of `never`, `unlimited`, or object"

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> Any:
        if isinstance(value, dict):
            return super()._deserialize(value, attr, data, **kwargs)
        return {"limit": restart_limit(value, ", or an object: { on: …, limit: … }")}


class Statuses(Setting):
    """Exit statuses."""

    kind = "array of whole numbers"

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> Any:
        del attr, data, kwargs
        if not isinstance(value, list) or not value:
            hint = "write an array of numbers: [0, 2]"
            what = "an empty array" if value == [] else shown(value)
            raise ValidationError([Complaint("wrong-type", f"{what} is not an array of exit statuses", hint)])
        errors = {index: found for index, one in enumerate(value) if (found := _status_fault(one))}
        if errors:
            raise ValidationError(errors)
        return tuple(sorted({weak_int(one) for one in value}))


def _status_fault(value: Any) -> list[Complaint]:
    try:
        number = weak_int(value)
    except ValueError:
        number = -1
    if isinstance(value, bool) or not 0 <= number <= 255:
        hint = "write a number from 0 to 255; 128 plus its number for a signal"
        return [Complaint("wrong-value", f"{shown(value)} is not an exit status", hint)]
    return []


def _is_count(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 19
