"""Reads the documents of a configuration, each location with the source that its scheme names.

A path, which nearly every configuration is, is read by what comes with corepilot, without a look at what is installed.
Any other location names a plugin, which is found, judged and asked for its class in the way of all plugins.
"""

import os
import time
from collections.abc import Callable, Sequence

from corepilot.config.diagnostics.problems import Problem
from corepilot.config.loading.exchange import READING, Kept, LoadRequest, reading
from corepilot.sources import file
from corepilot.sources.locations import all_shown, scheme_of, shown
from corepilot.sources.paths import path_of
from corepilot.sources.values import MAX_BYTES, SourceContext, SourceError, SourceText

DEADLINE_S = 8.0
"""Seconds that all locations together may take."""


class Read:
    """What was read.

    Attributes:
        texts: The documents, in the order in which they are merged.
        problems: Why there is no configuration, one for each location that could not be read.
        kept: See `LoadResult`.
    """

    __slots__ = ("kept", "problems", "texts")

    def __init__(self) -> None:
        self.texts: list[SourceText] = []
        self.problems: list[Problem] = []
        self.kept: Kept = ()


def read_all(request: LoadRequest, reached: Callable[[bytes], None]) -> Read:
    """Read every location of a request. Never raises what a source does wrong.

    Args:
        request: What to load.
        reached: Told of each location before it is read, so that one that hangs can be named.
    """
    found = Read()
    end = time.monotonic() + DEADLINE_S
    known = {location: [SourceText(*one) for one in texts] for location, texts in request.known}
    kept = {location: texts for location, texts in request.known if location in request.locations}
    for location in request.locations:
        scheme = "" if request.paths_only else scheme_of(location)
        reached(READING if not scheme and len(request.locations) == 1 else reading(shown(location)))
        left_s = end - time.monotonic()
        if left_s <= 0:
            message = "cannot read configuration: the time was over before its turn came"
            hint = f"the {DEADLINE_S:g} s are for all locations together: look which one is slow"
            found.problems.append(Problem("error", "source", message, hint, shown(location)))
            continue
        try:
            if scheme:
                context = SourceContext(left_s, request.environment, known.get(location, ()))
                from corepilot.config.loading import named_source

                texts: Sequence[SourceText] = named_source.read(scheme, location, context, reached)
                kept.pop(location, None)
                if any(one.version for one in texts):
                    kept[location] = tuple([(one.text, one.name, one.path, one.warnings, one.version) for one in texts])
            elif request.paths_only or not os.path.isdir(path_of(location)):
                texts = (file.read(location, left_s),)
            else:
                from corepilot.sources.directory import DirectorySource

                texts = DirectorySource().read(location, SourceContext(left_s))
        except SourceError as error:
            found.problems.append(_unreadable(location, error))
        else:
            found.texts += texts
    found.kept = tuple(kept.items())
    if not found.problems:
        found.problems += _judged(found.texts, request.locations)
    return found


def _unreadable(location: str, error: SourceError) -> Problem:
    from corepilot.config.rules.version2 import judge_location

    message, _, hint = str(error).partition("; ")
    # The problem is shown behind the location's name.
    message = message.replace(f"cannot read configuration {shown(location)!r}", "cannot read configuration", 1)
    code = "source" if error.code == SourceError.code else error.code
    return judge_location(location) or Problem("error", code, message, hint, shown(location))


def _judged(texts: Sequence[SourceText], locations: Sequence[str]) -> list[Problem]:
    """What is wrong with the documents as a whole."""
    if not texts:
        name = all_shown(locations)
        message = "cannot read configuration: there is no document in it"
        hint = "of a directory, files that end in .json5 or .json are read"
        return [Problem("error", "source", message, hint, name)]
    if len(texts) > 1 and sum(len(one.text) for one in texts) > MAX_BYTES:
        name = all_shown(locations)
        message = f"cannot read configuration: its documents have more than {MAX_BYTES} characters together"
        return [Problem("error", "source", message, "make them smaller", name)]
    return []
