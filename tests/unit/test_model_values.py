"""Values of the model: what they refuse, and which of them are equal."""

import pytest

from corepilot.model.event import Event
from corepilot.model.job import Job
from corepilot.model.service import Instance
from corepilot.model.value import ValueType


def test_a_value_has_no_subclasses() -> None:
    """One under the name of another would take its place where values are sent."""
    with pytest.raises(TypeError, match="Instance is a value, and values have no subclasses"):
        ValueType("Service", (Instance,), {"__module__": __name__})


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (Job("app", path="jobs[0]"), Job("app", path="jobs[1]")),
        (Event("exitFailed", "app", status=1), Event("exitFailed", "app", origin=(("app", 1),))),
    ],
    ids=["job", "event"],
)
def test_values_that_differ_only_in_what_is_not_compared_are_one_key(one: object, other: object) -> None:
    assert one == other
    assert len({one, other}) == 1
