"""What the starter of a bundle has done to the environment, and how to take it back: see tools/bundling/starter.c.

The interpreter runs with an environment in which nothing is addressed to the loader, the C library or OpenSSL that come
in the bundle. Those variables are the application's, and its jobs get them as they were given.
"""

import os
import sys
from collections.abc import Mapping

MARK = "COREPILOT_BUNDLE"
"""The bundle's folder, in the environment of every Python that a starter has started."""

PREFIX = "COREPILOT_HELD_"
"""Stands before the name of each variable that is held back."""

OWN = ("LC_ALL", "OPENSSL_CONF", MARK)
"""What the starter adds. A variable of that name that was given is among those held back."""


def folder(environment: Mapping[str, str]) -> str:
    """Return the folder of the bundle whose Python this is; "" for another Python, to which the mark means nothing."""
    marked = environment.get(MARK, "")
    return marked if marked and sys.executable == os.path.join(marked, "bin", "python3") else ""


def as_given(environment: Mapping[str, str]) -> dict[str, str]:
    """Return an environment as it was given to the bundle's starter; one without its mark is unchanged."""
    if MARK not in environment:
        return dict(environment)
    return {name.removeprefix(PREFIX): value for name, value in environment.items() if name not in OWN}
