"""The source of files passes the suite of sources; sources that break a rule do not."""

import os
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from corepilot.sources.file import FileSource
from corepilot.sources.source import Source, SourceContext, SourceText
from corepilot.testing.sources import SourceHangSuite


class TestFile(SourceHangSuite):
    @pytest.fixture(autouse=True)
    def _directory(self, tmp_path: Path) -> None:
        self.directory = tmp_path

    def source(self) -> Source:
        return FileSource()

    def put(self, data: bytes) -> str:
        file = self.directory / "configuration"
        file.write_bytes(data)
        return str(file)

    def missing(self) -> str:
        return str(self.directory / "nothing")

    def hanging(self) -> str:
        """A pipe that nobody writes to."""
        pipe = self.directory / "pipe"
        os.mkfifo(pipe)
        return str(pipe)


KEPT: list[Any] = []


def replaces(location: str, _context: SourceContext) -> SourceText:
    return SourceText(Path(location).read_text(errors="replace"), location, None)


def keeps_a_thread(location: str, context: SourceContext) -> SourceText:
    stop = threading.Event()
    KEPT.append(stop)
    threading.Thread(target=stop.wait, daemon=True).start()
    return FileSource().read(location, context)


def keeps_a_descriptor(location: str, context: SourceContext) -> SourceText:
    KEPT.append(open("/dev/null"))  # noqa: SIM115  - that is what is wrong with it
    return FileSource().read(location, context)


def keeps_memory(location: str, context: SourceContext) -> SourceText:
    KEPT.append(bytearray(1 << 20))
    return FileSource().read(location, context)


def changes_directory(location: str, context: SourceContext) -> SourceText:
    os.chdir("/")
    return FileSource().read(location, context)


def strips(location: str, context: SourceContext) -> SourceText:
    found = FileSource().read(location, context)
    return SourceText(found.text.strip(), found.name, found.path)


def remembers(location: str, context: SourceContext) -> SourceText:
    if not KEPT:
        KEPT.append(FileSource().read(location, context))
    found: SourceText = KEPT[0]
    return found


def waits_for_ever(location: str, context: SourceContext) -> SourceText:
    if location.endswith("pipe"):
        time.sleep(60)
    return FileSource().read(location, context)


def blocks_in_a_call(location: str, context: SourceContext) -> SourceText:
    if location.endswith("pipe"):
        KEPT.extend(socket.socketpair())
        KEPT[0].recv(1)
    return FileSource().read(location, context)


def raises_something_else(location: str, _context: SourceContext) -> SourceText:
    return SourceText(Path(location).read_text(), location, None)


@pytest.mark.parametrize(
    ("read", "test", "rule"),
    [
        (replaces, "what_is_not_utf8_is_refused", "is not UTF-8 and must raise SourceError"),
        (keeps_a_thread, "nothing_is_left_behind", "read must end every thread"),
        (keeps_a_descriptor, "nothing_is_left_behind", "read must close every descriptor"),
        (keeps_memory, "memory_is_bounded", "memory must be bounded"),
        (changes_directory, "the_process_is_left_alone", "must leave the process alone"),
        (strips, "the_text_is_as_it_was_stored", "read must return the text as it was stored"),
        (remembers, "the_text_is_read_anew", "read must return what is there now"),
        (waits_for_ever, "a_deadline_is_kept", "read must keep its deadline"),
        (blocks_in_a_call, "a_deadline_is_kept", "read must keep its deadline"),
        (
            raises_something_else,
            "nothing_there_is_an_error",
            "may raise SourceError, and raised FileNotFound",
        ),
    ],
    ids=lambda one: getattr(one, "__name__", ""),
)
def test_a_source_that_breaks_a_rule_is_caught(
    read: Callable[[str, float], SourceText], test: str, rule: str, tmp_path: Path
) -> None:
    class Mutant(TestFile):
        def source(self) -> Source:
            return type("Mutant", (), {"read": staticmethod(read)})()  # type: ignore[no-any-return]

    suite = Mutant()
    suite.directory = tmp_path
    try:
        with pytest.raises(BaseException, match=rule):
            getattr(suite, f"test_{test}")()
    finally:
        while KEPT:
            one = KEPT.pop()
            getattr(one, "set", getattr(one, "close", bool))()
