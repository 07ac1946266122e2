"""A whole file of version 2 as one of version 3."""

from collections.abc import Sequence
from typing import NamedTuple

from corepilot.config.rules.version2 import KEYS
from corepilot.config.text.json5_document import position
from corepilot.migrate import lifecycle, periodic
from corepilot.migrate.draft import Draft
from corepilot.migrate.layout import DECIDE, Piece, decide, member, nested, note
from corepilot.migrate.outline import OutlineNode
from corepilot.migrate.reading import SHARED, Version2File, fold

_HEAD = """
Made by `corepilot migrate` from a file of ContainerPilot 2. What a person has to decide is marked with DECIDE. What
corepilot does otherwise than ContainerPilot 3 is told by `corepilot migrate` of this file.

Signals do other things now: `corepilot reload` instead of SIGHUP, `corepilot maintenance enable` and `disable` instead
of SIGUSR1.
"""


class Decision(NamedTuple):
    """A place of the new file that wants a person: its line, from 1, and the comment."""

    line: int
    text: str


def is_version_2(old: Version2File) -> bool:
    """Whether a file is one of version 2, and cannot be one of version 3."""
    keys = {fold(key) for key, _ in old.root.members}
    if "jobs" in keys:
        return False
    sensors = any(True for one in old.top("telemetry") for _ in one.find("sensors"))
    return not keys.isdisjoint(map(fold, KEYS)) or sensors


def convert(old: Version2File, program: Sequence[str]) -> str:
    """The text of an equivalent file of version 3.

    Args:
        old: The file of version 2.
        program: Its main program, which version 2 takes from the command line; empty if it is not known.

    Raises:
        MigrationError: a part of the file cannot be followed.
    """
    draft = Draft(old, program)
    lifecycle.begin(draft)
    lifecycle.coprocesses(draft)
    lifecycle.main_program(draft)
    watches = periodic.backends(draft)
    periodic.tasks(draft)
    telemetry = [Piece(old.conditions(value), _telemetry(draft, value)) for value in old.top("telemetry")]
    lifecycle.end(draft)
    pieces = [
        Piece((), [line for text in _head(draft) for line in note(text)]),
        *old.strangers(old.root, (*KEYS, *SHARED)),
        *_catalog(old),
        *_copies(old, "logging"),
        *_copies(old, "stopTimeout"),
        *_copies(old, "control"),
        Piece((), nested("jobs: ", draft.jobs, "[]")),
    ]
    if watches:
        pieces.append(Piece((), nested("watches: ", watches, "[]")))
    lines = nested("", [*pieces, *telemetry], "{}")
    prelude = [line for text in old.masked.prelude for line in text.split("\n")]
    return "\n".join([*prelude, *lines[:-1], "}"]) + "\n"


def _head(draft: Draft) -> list[str]:
    """The paragraphs of the comment at the top."""
    paragraphs = _HEAD.split("\n\n")
    if draft.own:
        own = " and ".join(f"`{key}`" for key in sorted(draft.own))
        verb = "is" if len(draft.own) == 1 else "are"
        paragraphs.append(f"ContainerPilot 3 refuses this file: {own} {verb} known to corepilot only.")
    source = draft.old.masked.source
    lines = sorted({position(source, mistake.offset)[0] for mistake in draft.old.comma_mistakes})
    if lines:
        where = f"line{'s' if len(lines) > 1 else ''} {', '.join(map(str, lines))}"
        paragraphs.append(f"Commas were missing, or too many, in {where} of the old file: mended here.")
    return paragraphs


def decisions(text: str) -> list[Decision]:
    """The places of a converted file that want a person."""
    found: list[Decision] = []
    going_on = False
    for number, line in enumerate(text.split("\n"), 1):
        comment = line.strip().removeprefix("// ") if line.strip().startswith("// ") else ""
        if comment.startswith(DECIDE):
            found.append(Decision(number, comment.removeprefix(DECIDE)))
        elif comment and going_on:
            found[-1] = Decision(found[-1].line, f"{found[-1].text} {comment}")
        going_on = bool(comment) and (going_on or comment.startswith(DECIDE))
    return found


def _copies(old: Version2File, key: str) -> list[Piece]:
    return [Piece(old.conditions(value), member(key, old.text(value))) for value in old.top(key)]


def _catalog(old: Version2File) -> list[Piece]:
    pieces = _copies(old, "consul")
    remark = (
        "version 2 kept services in etcd through its interface of version 2; corepilot keeps them under other keys, so "
        "everything that shares this catalog has to change at the same time. It needs the plugin corepilot-etcd."
    )
    for value in old.top("etcd"):
        conditions = old.conditions(value)
        keys = [
            Piece(conditions, ['backend: "etcd",']),
            *old.copies(value, "endpoints", listed=True),
            *old.copies(value, "prefix"),
        ]
        pieces.append(Piece(conditions, [*decide(remark), *nested("discovery: ", keys, "{}", len(conditions))]))
    return pieces


def _telemetry(draft: Draft, value: OutlineNode) -> list[str]:
    old = draft.old
    conditions = old.conditions(value)
    metrics = periodic.sensors(draft, value)
    keys = [
        *old.copies(value, "port"),
        *old.copies(value, "interfaces", listed=True),
        *old.copies(value, "tags", listed=True),
        *old.strangers(value, ("port", "interfaces", "tags", "sensors")),
    ]
    if metrics:
        keys.append(Piece(conditions, nested("metrics: ", metrics, "[]", len(conditions))))
    return nested("telemetry: ", keys, "{}", len(conditions))
