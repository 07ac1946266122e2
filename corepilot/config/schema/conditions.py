"""The settings of jobs that make a start depend on other jobs: `jobs[].dependsOn`."""

from collections.abc import Mapping
from typing import Any

from marshmallow import ValidationError

from corepilot.config.diagnostics.complaints import Complaint, did_you_mean, shown
from corepilot.config.schema.fields import Setting

CONDITIONS = ("started", "ready", "healthy", "completed", "ended")
"""What may be asked of a job that another one depends on; see `corepilot.model.job.Dependency`."""

_HINT = 'write { db: "healthy" }, or an array of names: ["db"]'


class Dependencies(Setting):
    """Names of jobs, each with how far it has to have come; an array of names asks that they have been started.

    The value is a pair for each, in the order of the text.
    """

    kind = "object, or array of texts"

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> Any:
        del attr, data, kwargs
        if isinstance(value, str) and value:
            return ((value, "started"),)
        if not isinstance(value, list | dict):
            raise ValidationError([Complaint("wrong-type", f"{shown(value)} names no jobs", _HINT)])
        pairs = value.items() if isinstance(value, dict) else [(one, "started") for one in value]
        errors: dict[int | str, Any] = {}
        for index, (name, condition) in enumerate(pairs):
            place = name if isinstance(value, dict) else index
            fault = _fault(name, condition)
            if fault is not None:
                errors[place] = [fault]
        if errors:
            valid = tuple([(name, condition) for name, condition in pairs if _fault(name, condition) is None])
            raise ValidationError(errors, valid_data=valid)  # type: ignore[arg-type]  # whatever the value is
        return tuple(dict(pairs).items())


def _fault(name: Any, condition: Any) -> Complaint | None:
    if not isinstance(name, str) or not name:
        return Complaint("wrong-type", f"{shown(name)} is not the name of a job", _HINT)
    if condition not in CONDITIONS:
        hint = (isinstance(condition, str) and did_you_mean(condition, CONDITIONS)) or "write one of them"
        return Complaint("wrong-value", f"{shown(condition)} is none of {', '.join(CONDITIONS)}", hint)
    return None
