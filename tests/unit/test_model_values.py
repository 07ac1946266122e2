"""Values of the model: what they refuse."""

import pytest

from corepilot.model.service import Instance
from corepilot.model.value import ValueType


def test_a_value_has_no_subclasses() -> None:
    """One under the name of another would take its place where values are sent."""
    with pytest.raises(TypeError, match="Instance is a value, and values have no subclasses"):
        ValueType("Service", (Instance,), {"__module__": __name__})
