"""What jobs in tests write down: one line for each thing that happened, with its time, in the order of writing."""

import time
from pathlib import Path

from eventually import eventually
from running import Corepilot

HEAD = '{consul: false, control: {socket: "%(dir)s/control.socket"}, '


def config(jobs: str, more: str = "") -> str:
    """A configuration of these jobs. `note(WORD)` in it is a shell command that appends WORD to the record."""
    return f"{HEAD}{more} jobs: [{jobs}]}}"


def shell(script: str) -> str:
    """An `exec` that runs a shell script; `note WORD` appends to the record."""
    note = 'note() { echo "$* $(date +%s.%N)" >> %(dir)s/record; }'
    text = f"{note}; {script}".replace("\\", "\\\\").replace('"', '\\"')
    return f'["sh", "-c", "{text}"]'


class Record:
    """The record of one corepilot."""

    def __init__(self, corepilot: Corepilot) -> None:
        self.corepilot = corepilot
        self._path: Path = corepilot.directory / "record"

    @property
    def entries(self) -> list[tuple[str, float]]:
        if not self._path.exists():
            return []
        lines = [line.rpartition(" ") for line in self._path.read_text().splitlines()]
        return [(words, float(at)) for words, _, at in lines]

    @property
    def words(self) -> list[str]:
        return [words for words, _ in self.entries]

    def count(self, word: str) -> int:
        return self.words.count(word)

    def until(self, word: str, count: int = 1, deadline_s: float = 30) -> None:
        eventually(
            lambda: self.count(word) >= count,
            deadline_s,
            f"{count} x {word!r} in {self.words}, and the log:\n{self.corepilot.output}",
        )

    def times(self, word: str) -> list[float]:
        return [at for words, at in self.entries if words == word]


def unchanged_for(seconds: float, record: Record) -> None:
    """Watch that nothing is written for a while: the only way to see that something does not happen."""
    before, deadline = record.words, time.monotonic() + seconds
    while time.monotonic() < deadline:
        assert record.words == before, record.words
        time.sleep(0.02)


def goes_on(record: Record, beats: int = 5) -> None:
    """Wait until the job that notes `beat` has run some more times, and see that the control socket answers."""
    record.until("beat", record.count("beat") + beats)
    assert record.corepilot.client("ping").returncode == 0
