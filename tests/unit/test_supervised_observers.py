"""The observers of a configuration over its reloads: one that could not be made is tried again."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from foreign import unwatched

from corepilot.errors import PluginError
from corepilot.model.configuration import Logging
from corepilot.model.fact import Fact
from corepilot.model.plugin import PluginReference
from corepilot.observers.facts import Facts
from corepilot.observers.observer import Observer
from corepilot.output.log import Log
from corepilot.plugin.manager import Loaded, Plugins
from corepilot.plugin.oversight import Oversight
from corepilot.supervisor.observers import Observers

REFERENCES = tuple(PluginReference(name, "module", "", "distribution", "1") for name in ("one", "two"))


class Quiet(Observer):
    """Takes facts and keeps none."""

    def observe(self, fact: Fact) -> None:
        pass


class Loading(Plugins):
    """Loads any observer, but for those that are broken."""

    def __init__(self) -> None:
        super().__init__()
        self.broken: set[str] = set()

    def load(self, config: PluginReference, kind: str = "backend") -> Loaded:
        if config.name in self.broken:
            raise PluginError(f"cannot load {kind} {config.name!r}")
        return Loaded(config.name, kind, Quiet, None, frozenset(), __name__, "distribution 1")


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Log]:
    made = Log(Logging(output=str(tmp_path / "log")))
    yield made
    made.close(20)


@pytest.fixture
def oversight(log: Log) -> Iterator[Oversight]:
    made = unwatched(log)
    yield made
    made.stop()


def test_a_reload_tries_one_that_failed_again_and_leaves_the_others_alone(log: Log, oversight: Oversight) -> None:
    observers, plugins = Observers(log, Facts(wanted=True), {}), Loading()
    plugins.broken.add("two")
    observers.start(REFERENCES, plugins, oversight)
    (one,) = observers.attached
    with pytest.raises(PluginError, match="cannot load observer 'two'"):
        observers.prepare(REFERENCES, plugins, oversight)
    assert observers.attached == (one,)
    plugins.broken.clear()
    observers.commit(observers.prepare(REFERENCES, plugins, oversight))
    assert observers.attached[0] is one
    assert [attached.reference.name for attached in observers.attached] == ["one", "two"]
    assert observers.prepare(REFERENCES, plugins, oversight) is None
    observers.close()
    assert oversight.boundaries == []
