"""Options of a plugin as a command line gives them: "tls.cafile" and a text."""

from typing import Any


def put_option(options: dict[str, Any], name: str, value: str) -> tuple[dict[str, Any], str]:
    """Put an option among others: "tls.cafile" is `cafile` in the object `tls`.

    Args:
        options: The others; changed.
        name: Its name.
        value: What it is.

    Returns:
        The object that holds it now, and its name there.
    """
    *outer, key = name.split(".")
    for one in outer:
        below = options.setdefault(one, {})
        options = below if isinstance(below, dict) else {}
    options[key] = value
    return options, key
