"""Recognises configurations of ContainerPilot 2, whose keys version 3 does not know, and says what to do with them."""

import sys

from corepilot.config.diagnostics.problems import Problem
from corepilot.config.diagnostics.source_map import SourceMap
from corepilot.config.text.json5_document import Node

KEYS = ("services", "backends", "preStart", "preStop", "postStop", "coprocesses", "tasks", "onStart", "etcd")
"""Keys of the top level that only version 2 has, in either spelling."""

_FOLDED = {key.lower() for key in KEYS}
_AS_KEY = r"""(?<![^\s{,}\]])(["']?)(%s)\1\s*:"""
_NEW = _AS_KEY % "jobs" + r"\s*[\[{]"


def judge_version(root: Node, source_map: SourceMap, file: str) -> Problem | None:
    """The error for a file of version 2, or None. A file that has `jobs` is never one."""
    if "jobs" in root.value:
        return None
    found = [key for key in root.value if key.replace("_", "").lower() in _FOLDED]
    if not found:
        return None
    return source_map.on((found[0],), "version-2", _message(found), _hint(file), key=True)


def keys_in(text: str) -> list[str]:
    """The keys of version 2 that a text seems to have which cannot be read; none if it has `jobs` as well.

    Args:
        text: Before its template is carried out, or after.
    """
    import re

    if re.search(_NEW, text):
        return []
    words = "|".join("_?".join(re.findall("[A-Z]?[a-z]+", key)) for key in KEYS)
    return list(dict.fromkeys(found[1] for found in re.findall(_AS_KEY % words, text, re.IGNORECASE)))


def judge_text(text: str, file: str) -> Problem | None:
    """The error for a file whose template or JSON cannot be read, if it looks like one of version 2; else None.

    It is to be shown beside the error that says what cannot be read.

    Args:
        text: As the file has it.
        file: As the user named it.
    """
    found = keys_in(text)
    return Problem("error", "version-2", _message(found), _hint(file), file) if found else None


def judge_location(location: str) -> Problem | None:
    """The error for a configuration that stands in the place of its path, which version 2 allows; else None.

    The message does not repeat it: there may be secrets in it.
    """
    if not location.lstrip().startswith("{"):
        return None
    message = "cannot use a configuration that is given as text: its path is wanted, as in ContainerPilot 3"
    hint = "write it to FILE, and give the path of FILE"
    if keys_in(location):
        message += "; this is one of ContainerPilot 2, which took both"
        hint = f"write it to FILE; {_hint('FILE')}"
    return Problem("error", "version-2", message, hint)


def _message(found: list[str]) -> str:
    rule = "is a key of that version only" if len(found) == 1 else "are keys of that version only"
    return f"cannot use a configuration of ContainerPilot 2: {', '.join(found)} {rule}"


def _hint(file: str) -> str:
    words = _program(sys.argv)
    command = "COMMAND"
    if words:
        from shlex import join

        from corepilot.config.diagnostics.excerpts import masked

        command = masked(join(words))
    return f"turn it into one of version 3: corepilot migrate {file} -- {command}"


def _program(words: list[str]) -> list[str]:
    """The main program, if the command line is one of version 2: `containerpilot -config FILE nginx -g …`.

    ContainerPilot 3 ignores these words, so nothing but this message knows them. A loader that is forked at boot has
    the command line of its parent.
    """
    if words[0].rpartition("/")[2] not in {"containerpilot", "containerpilot.py"}:
        return []
    rest = words[1:]
    while rest and rest[0].startswith("-") and rest[0] != "--":
        del rest[: 1 if "=" in rest[0] else 2]  # all flags of a run have values
    return rest[1:] if rest[:1] == ["--"] else rest
