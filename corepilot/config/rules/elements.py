"""The elements of an array of objects that can be judged; a null is skipped, as in ContainerPilot."""

from collections.abc import Iterator
from typing import Any

from corepilot.config.diagnostics.source_map import Path
from corepilot.config.diagnostics.verdict import Verdict


def elements_of(entries: Any, written: Any, path: Path, verdict: Verdict) -> Iterator[tuple[int, Any, Any]]:
    """Each element's index, its valid settings, and how it was written.

    Args:
        entries: The valid settings of each; None for one that is null, and for one with which nothing can be done.
        written: As they were written.
        path: Where the array is.
        verdict: Takes a warning for each null.
    """
    for index, entry in enumerate(entries):
        if written[index] is None:
            verdict.warn((*path, index), "null-element", "null is skipped", "leave it out")
        elif entry is not None:
            yield index, entry, written[index]
