"""A configuration as the debug log shows it (ContainerPilot contract, section 6), without secrets."""

import json
from collections.abc import Mapping

from corepilot.config.diagnostics.excerpts import masked, secret_values
from corepilot.config.model import Config


def shown(config: Config, environment: Mapping[str, str]) -> str:
    """The configuration on one line, as JSON.

    Of plugins' options only the names are shown: any of them may be a secret. Elsewhere, what looks like a secret is
    masked as in error messages, and so are the values of variables that are named like one.

    Args:
        config: The configuration.
        environment: Where templates took values from.
    """
    plain = config.to_plain()
    for plugin in (plain["discovery"], *plain["sinks"]):
        if plugin is not None:
            plugin["options"] = sorted(plugin["options"])
    secrets = [json.dumps(secret)[1:-1] for secret in secret_values(environment)]
    return masked(json.dumps(plain), secrets)
