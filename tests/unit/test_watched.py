"""What a job reads of its watch: one line of JSON, in a form of its own for each kind."""

import json
from typing import Any

import pytest

from corepilot.model.catalog import Entry
from corepilot.model.configuration import Watch
from corepilot.model.service import Instance
from corepilot.supervisor.watched import Watched


class Known:
    """A watcher that has found something."""

    def __init__(self, kind: Any, *, instances: tuple[Instance, ...] = (), entries: tuple[Entry, ...] = ()) -> None:
        self.watch = Watch("w", kind=kind)
        self.passing_instances, self.entries = instances, entries
        self.passing = len(instances) + len(entries)


INSTANCE = Instance("a-1", "a", "::1", 80, "passing", ("ü",))


@pytest.mark.parametrize(
    ("known", "found"),
    [
        (Known("service"), []),
        (Known("service", instances=(INSTANCE,)),
         [{"id": "a-1", "service": "a", "address": "::1", "port": 80, "tags": ["ü"]}]),
        (Known("key"), None),
        (Known("key", entries=(Entry("k", b"\xc3\xbc"),)), {"key": "k", "value": "ü"}),
        (Known("prefix", entries=(Entry("p/a", b""), Entry("p/b", b"\xff"))),
         [{"key": "p/a", "value": ""}, {"key": "p/b", "base64": "/w=="}]),
    ],
)  # fmt: skip
def test_each_kind_of_watch_has_its_form(known: Any, found: Any) -> None:
    watched = Watched(lambda: (known,))
    content = watched.content("watch.w")
    assert content.count(b"\n") == 1
    assert json.loads(content) == found
    assert watched.content("watch.w") is content  # made once
    assert watched.passing("watch.w") == known.passing


@pytest.mark.parametrize("source", ["w", "global", "watch.x", "render.w"])
def test_what_is_no_watch_has_nothing(source: str) -> None:
    watched: Any = Watched(lambda: (Known("service", instances=(INSTANCE,)),))  # type: ignore[arg-type,return-value]
    assert (watched.content(source), watched.passing(source)) == (b"null\n", None)
