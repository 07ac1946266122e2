"""What `corepilot migrate` prints of what came of a file, for people and as JSON."""

from collections.abc import Sequence
from typing import Any

from corepilot.migrate.conversion import Decision
from corepilot.migrate.facts import Location
from corepilot.migrate.layout import DECIDE
from corepilot.migrate.outcome import UNDECIDED, UNUSABLE, Outcome
from corepilot.wording.counting import counted
from corepilot.wording.escaping import escaped

_SHORT = 110
"""How many characters of a decision are shown."""


def turned_text(one: Outcome, target: str | None) -> str:
    """What is said, on stderr, of a file of version 2.

    Args:
        one: What came of it.
        target: The file that it was written to; None for stdout, where the lines' numbers help nobody.
    """
    file, said = escaped(one.file), "".join(problem.text() + "\n" for problem in one.problems)
    if one.text is None:
        return f"{said}{file}: cannot be turned into version 3\n"
    if any(problem.unset for problem in one.problems):
        said += "Variables are not set here: give those of the container with -e NAME=VALUE or --env-file FILE.\n"
    errors = sum(problem.is_error for problem in one.problems)
    head = f"{file}: turned into version 3{f', in {escaped(target)}' if target else ''}"
    wants = []
    if errors:
        wants.append(f"{counted(errors, 'error')} in the new file")
    if one.decisions:
        wants.append(counted(len(one.decisions), "decision is wanted", "decisions are wanted"))
    if not wants:
        return f"{said}{head}\n"
    end = ":" if one.decisions else ""
    lines = "".join(f"  {escaped(line)}\n" for line in _decisions(one.decisions, target))
    return f"{said}{head}; {', '.join(wants)} (exit status {UNDECIDED}){end}\n{lines}"


def _decisions(found: Sequence[Decision], target: str | None) -> list[str]:
    """Each decision once, with its lines in the file that it was written to."""
    places: dict[str, list[int]] = {}
    for one in found:
        places.setdefault(one.text, []).append(one.line)
    lines = []
    for text, numbers in places.items():
        shown = text if len(text) <= _SHORT else text[: _SHORT - 1].rpartition(" ")[0] + " …"
        where = f"{len(numbers)} times: " if len(numbers) > 1 else ""
        if target:
            where = f"{'line' if len(numbers) == 1 else 'lines'} {', '.join(map(str, numbers))}: "
        lines.append(f"{DECIDE.rstrip(': ')} {where}{shown}" if where else f"{DECIDE}{shown}")
    return lines


def compared_text(one: Outcome) -> str:
    """What is said of a file of version 3."""
    file, said = escaped(one.file), "".join(problem.text() + "\n" for problem in one.problems)
    refused = one.status == UNUSABLE
    if not one.found and not refused:
        return f"{said}{file}: loads unchanged\n"
    if refused:
        head = f"cannot be loaded ({counted(len(one.problems), 'error')})"
    else:
        head = f"loads, with {counted(len(one.found), 'difference')} from ContainerPilot"
        decide = sum(difference.decide and bool(places) for difference, places in one.found)
        if decide:
            head += f"; {counted(decide, 'needs a decision', 'need a decision')} (exit status {UNDECIDED})"
    lines = [f"{file}: {head}"]
    for difference, places in one.found:
        where = ", ".join(_place(place) for place in places if place.path)
        lines.append(
            f"  {difference.id}{' (decide)' if difference.decide else ''}{f': {escaped(where)}' if where else ''}"
        )
        lines.append(f"    ContainerPilot: {difference.old}")
        lines.append(f"    corepilot:      {difference.new}")
        lines.append(f"    to restore:     {difference.restore or 'there is no setting'}")
    return said + "\n".join(lines) + "\n"


def _place(place: Location) -> str:
    return f"{place.path} (line {place.line})" if place.line else place.path


def plain(one: Outcome, target: str | None) -> dict[str, Any]:
    """The same for programs.

    Args:
        one: What came of a file.
        target: The file that the new one was written to, or None.
    """
    found: dict[str, Any] = {
        "file": one.file,
        "version": one.version,
        "ok": one.status != UNUSABLE,
        "decide": one.status == UNDECIDED,
        "problems": [problem.to_json() for problem in one.problems],
    }
    if one.version == 2:
        found["text"] = None if target else one.text
        found["written"] = target
        found["decisions"] = [decision._asdict() for decision in one.decisions]
        return found
    found["unchanged"] = not one.found and one.status != UNUSABLE
    found["differences"] = [
        {
            "id": difference.id,
            "containerpilot": difference.old,
            "corepilot": difference.new,
            "restore": difference.restore or None,
            "decide": difference.decide,
            "places": [{"path": place.path, "line": place.line, "column": place.column} for place in places],
        }
        for difference, places in one.found
    ]
    return found
