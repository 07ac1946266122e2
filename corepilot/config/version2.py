"""Recognises configurations of ContainerPilot 2, whose keys version 3 does not know."""

from corepilot.config.json5 import Node
from corepilot.config.places import Places
from corepilot.config.problems import Problem

KEYS = ("services", "backends", "preStart", "preStop", "postStop", "coprocesses", "tasks", "onStart", "etcd")
"""Keys of the top level that only version 2 has, in either spelling."""

_FOLDED = {key.lower() for key in KEYS}


def judge_version(root: Node, places: Places, file: str) -> Problem | None:
    """The error for a file of version 2, or None. A file that has `jobs` is never one."""
    if "jobs" in root.value:
        return None
    found = [key for key in root.value if key.replace("_", "").lower() in _FOLDED]
    if not found:
        return None
    message = (
        "cannot use a configuration of ContainerPilot 2: "
        f"{', '.join(found)} {'is a key' if len(found) == 1 else 'are keys'} of that version only"
    )
    hint = f"turn it into one of version 3: corepilot migrate {file}"
    return places.on((found[0],), "version-2", message, hint, key=True)
