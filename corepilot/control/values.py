"""Variables and metrics that a request brings, for both APIs."""

from corepilot.control.api import Api
from corepilot.control.payload import clipped, parse_environ, sensitive_names
from corepilot.http.time_slice import TimeSlice
from corepilot.wording.escaping import escaped

_METRICS_AT_ONCE = 256
_LONGEST_SENTENCE = 300
_MOST_SAID = 20


def put_environ(api: Api, body: bytes) -> tuple[dict[str, str | None], list[str]]:
    """Set variables; returns them, and the names that were skipped, since the kernel's environment cannot hold them.

    Raises:
        PayloadError: The body is not an object of text or null, or there are too many by now. Nothing was set.
    """
    values, skipped = parse_environ(body)
    api.budget.charge(values)
    for name in sensitive_names(values):
        api.log("warning", f"{name} was set over the control socket: it decides what the jobs' programs load")
    api.target.put_environ(values)
    return values, skipped


def put_metric(api: Api, values: dict[str, object]) -> list[str]:
    """Record values, letting others run in between; returns what is to be said of those that were not recorded."""
    names = list(values)
    rejected: list[str] = []
    unsaid = 0
    time_slice = TimeSlice()
    for start in range(0, len(names), _METRICS_AT_ONCE):
        found = api.target.put_metric({name: values[name] for name in names[start : start + _METRICS_AT_ONCE]})
        room = _MOST_SAID - len(rejected)
        rejected += [escaped(clipped(sentence, _LONGEST_SENTENCE)) for sentence in found[:room]]
        unsaid += len(found[room:])
        time_slice.check()
    return [*rejected, f"{unsaid} more values were not recorded"] if unsaid else rejected
