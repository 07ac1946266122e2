"""The observer: what `corepilot.observers.observer.Observer` asks for, as lines in a file."""

from typing import TextIO

from corepilot.model.fact import EventSeen, Fact, Reloaded, RunEnded, RunStarted
from corepilot.observers.observer import Observer


class FirstObserverObserver(Observer):
    """Appends a line for each fact. The file is opened with the first one: a constructor does no I/O."""

    _file: TextIO | None = None

    def observe(self, fact: Fact) -> None:
        """Take one fact. An OSError is logged by corepilot, with this plugin's name and line."""
        self._write(text_of(fact))

    def dropped(self, count: int) -> None:
        """Facts were lost at this place."""
        self._write(f"{count} facts were lost")

    def close(self) -> None:
        """Release the file."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _write(self, text: str) -> None:
        if self._file is None:
            self._file = open(self.options.path, "a", encoding="utf-8", errors="backslashreplace")
        self._file.write(text.replace("\n", " ") + "\n")
        self._file.flush()


def text_of(fact: Fact) -> str:
    """A fact in words."""
    if isinstance(fact, EventSeen):
        return f"event {fact.event.code} of {fact.event.subject}"
    if isinstance(fact, RunStarted):
        return f"{fact.job} started as {fact.pid}"
    if isinstance(fact, RunEnded):
        return f"{fact.job} ended with {fact.status} after {fact.duration_s:.3f} s: {fact.reason}"
    assert isinstance(fact, Reloaded)
    return f"reload {fact.result}: {fact.detail}"
