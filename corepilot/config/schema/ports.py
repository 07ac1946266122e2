"""The port of a service: a number, or for each replica of a job the number that a text makes with its own."""

from typing import Any

from corepilot.config.diagnostics.complaints import refusal
from corepilot.config.schema.fields import Whole
from corepilot.config.text.units import weak_int


class Port(Whole):
    """A whole number; or a text with `%i`, which is left to the rules: they know how many replicas there are."""

    kind = "whole number or text"

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> Any:
        del attr, data, kwargs
        if isinstance(value, str) and "%i" in value:
            return value
        try:
            return weak_int(value)
        except ValueError:
            hint = 'write a whole number; or for replicas that each have their own, a text such as "80%i"'
            raise refusal("wrong-type", f"{self.shown(value)} is not a whole number", hint) from None
