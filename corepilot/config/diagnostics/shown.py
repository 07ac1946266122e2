"""A configuration as the debug log shows it (ContainerPilot contract, section 6), without secrets."""

import json
from collections.abc import Mapping
from typing import Any

from corepilot.config.diagnostics.excerpts import masked, secret_values
from corepilot.model.command import ProcessSettings
from corepilot.model.configuration import Configuration
from corepilot.model.plugin import Options, Secret
from corepilot.model.trigger import Trigger
from corepilot.model.value import Value, names_of

_NO_SETTINGS = frozenset(("warnings", "origins"))


def shown(configuration: Configuration, environment: Mapping[str, str]) -> str:
    """The configuration on one line, as JSON: each value is an object of its fields, a trigger with its kind.

    Of plugins' options only the names are shown: their authors may have forgotten to call one secret. Elsewhere, what
    looks like a secret is masked as in error messages, and so are the values of variables that are named like one. What
    is no setting, such as warnings and places, is left out.

    Args:
        configuration: The configuration.
        environment: Where templates took values from.
    """
    fields = zip(names_of(Configuration), configuration, strict=True)
    plain = {name: _plain(value) for name, value in fields if name not in _NO_SETTINGS}
    secrets = [json.dumps(secret)[1:-1] for secret in secret_values(environment)]
    return masked(json.dumps(plain), secrets)


def _plain(value: Any) -> Any:
    if isinstance(value, Options):
        return sorted([name for name, _ in value.items])
    if isinstance(value, Secret):
        return str(value)
    if isinstance(value, ProcessSettings):  # as objects, in which a secret is known by its name
        objects = value.changed(environment=(), defaults=())
        plain = {name: _plain(one) for name, one in zip(names_of(ProcessSettings), objects, strict=True)}
        return {**plain, "environment": dict(value.environment), "defaults": dict(value.defaults)}
    if isinstance(value, Value):
        fields = {name: _plain(one) for name, one in zip(names_of(type(value)), value, strict=True)}
        return {"kind": type(value).__name__, **fields} if isinstance(value, Trigger) else fields
    if isinstance(value, tuple):
        return [_plain(one) for one in value]
    return value
