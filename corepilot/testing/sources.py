"""The conformance suite of configuration sources: what every source must do, as tests to inherit.

    from corepilot.testing.sources import SourceSuite
    from corepilot_vault.source import VaultSource

    class TestVault(SourceSuite):
        def source(self):                  # a new source, as corepilot makes it: without arguments
            return VaultSource()

        def put(self, data):               # keep these bytes somewhere, and say where: a location
            self.server.put("/config", data)
            return "vault://127.0.0.1:8200/config"

        def missing(self):                 # a location at which there is nothing
            return "vault://127.0.0.1:8200/nothing"

`SourceHangSuite` is for a source that waits for somebody: `hanging()` gives a location whose owner takes the question
and does not answer. A source runs in the loader, without gevent, and may block; so the watchdog here looks at the
deadline of `read`. The rules are those of `corepilot.sources.source`. The suites need no import of pytest and skip
nothing; their failures name the rule.
"""

import gc
import os
from typing import Any

from corepilot.sources.source import MAX_BYTES, Source, SourceContext, SourceError, SourceText
from corepilot.testing.alarm import overdue_after
from corepilot.testing.process_state import (
    ProcessState,
    data_bytes,
    descriptors,
    outside_contract,
    require,
    settles,
    threads,
)

__all__ = ["SourceHangSuite", "SourceSuite"]

_TEXT = '{jobs: [{name: "a", exec: "true"}]}  // Grüße, 世界\n'
_ROUNDS = 5
_MANY = 24
_GRACE_S = 1.0
_LEAK_BYTES = 512 * 1024
_DEADLINE = "read must keep its deadline"


def one_text(found: Any) -> SourceText:
    """The one text that a source has returned for a location, by itself or as the only one of several."""
    if isinstance(found, list | tuple) and len(found) == 1:
        found = found[0]
    require(isinstance(found, SourceText), f"read must return a SourceText for what was put there, not {found!r:.200}")
    text: SourceText = found
    return text


class SourceSuite:
    """What every source must do. A subclass supplies `source`, `put` and `missing`.

    Attributes:
        deadline_s: What each `read` is given.
    """

    deadline_s: float = 10.0

    def source(self) -> Source:
        """A new source."""
        raise NotImplementedError("a suite needs source(): see corepilot.testing.sources")

    def put(self, data: bytes) -> str:
        """Keep these bytes where the source finds them; returns the location."""
        raise NotImplementedError("a suite needs put(data): see corepilot.testing.sources")

    def missing(self) -> str:
        """A location at which there is nothing."""
        raise NotImplementedError("a suite needs missing(): see corepilot.testing.sources")

    def read(self, location: str, deadline_s: float = 0.0) -> SourceText:
        """What a new source finds, within its deadline."""
        deadline_s = deadline_s or self.deadline_s
        with overdue_after(deadline_s + _GRACE_S, _DEADLINE):
            try:
                found = one_text(self.source().read(location, SourceContext(deadline_s)))
            except SourceError:
                raise
            except Exception as error:
                raise outside_contract("read", "SourceError", error) from error
        return found

    def refused(self, location: str, rule: str, deadline_s: float = 0.0) -> str:
        """The message with which a location is refused."""
        try:
            found = self.read(location, deadline_s)
        except SourceError as error:
            said = str(error)
            require(said and "\n" not in said, f"a SourceError must be one line, but is {said!r}")
            return said
        raise AssertionError(f"{rule}, but read returned {len(found.text)} characters")

    def test_the_text_is_as_it_was_stored(self) -> None:
        """Every character, templates and line ends included; a byte order mark is still the first one."""
        for text in ("", _TEXT, "{{ .HOME }}\r\n\ttab\x00", f"\ufeff{_TEXT}", "\U0001f600" * 5000):
            found = self.read(self.put(text.encode())).text
            require(found == text, f"read must return the text as it was stored: not {found!r:.80} for {text!r:.80}")

    def test_the_text_is_read_anew(self) -> None:
        """Each `read` returns what is there then, also by one source."""
        source = self.source()
        for text in ("{a: 1}", "{b: 22}", "{}"):
            location = self.put(text.encode())
            with overdue_after(self.deadline_s + _GRACE_S, _DEADLINE):
                found = one_text(source.read(location, SourceContext(self.deadline_s))).text
            require(found == text, f"read must return what is there now: {text!r}, not {found!r:.80}")

    def test_where_it_is_from_is_told(self) -> None:
        """`name` is for messages, `path` an absolute path or None, `warnings` sentences."""
        found = self.read(self.put(_TEXT.encode()))
        name: Any = found.name
        require(isinstance(name, str) and name, "name must say where the text is from")
        path: Any = found.path
        absolute = path is None or (isinstance(path, str) and os.path.isabs(path))
        require(absolute, f"path must be absolute or None, and is {path!r}")
        warnings: Any = found.warnings
        texts = isinstance(warnings, tuple) and all(isinstance(one, str) for one in warnings)
        require(texts, f"warnings must be a tuple of texts, and is {warnings!r}")

    def test_no_password_is_shown(self) -> None:
        """Neither `name` nor an error shows the password of a URL."""
        for location in (self.put(_TEXT.encode()), self.missing()):
            scheme, slashes, rest = location.partition("://")
            if not slashes:
                continue  # a path has no password
            try:
                said = self.read(f"{scheme}://user:s3cr3t-of-the-suite@{rest}").name
            except SourceError as error:
                said = str(error)
            require("s3cr3t-of-the-suite" not in said, f"no message may show a password, but this does: {said}")

    def test_nothing_there_is_an_error(self) -> None:
        """SourceError says what was looked for."""
        self.refused(self.missing(), "a location at which there is nothing must raise SourceError")

    def test_too_much_is_refused(self) -> None:
        """More than `MAX_BYTES` is refused; as much is not."""
        most = b" " * MAX_BYTES
        require(len(self.read(self.put(most)).text) == MAX_BYTES, f"{MAX_BYTES} bytes must be read")
        self.refused(self.put(most + b" "), f"more than {MAX_BYTES} bytes must raise SourceError")

    def test_what_is_not_utf8_is_refused(self) -> None:
        """Nothing is replaced or left out silently."""
        for data in (b'{a: "\xff"}', "{}".encode("utf-16"), b"\xed\xa0\x80"):
            self.refused(self.put(data), f"{data!r} is not UTF-8 and must raise SourceError")

    def test_the_process_is_left_alone(self) -> None:
        """Signal handlers, directory, umask, environment, the standard library and children are as they were."""
        location = self.put(_TEXT.encode())
        before = ProcessState()
        self.read(location)
        before.require_unchanged("read")

    def test_nothing_is_left_behind(self) -> None:
        """No thread and no descriptor, neither after a text nor after an error."""
        good, bad = self.put(_TEXT.encode()), self.missing()
        self._both(good, bad)
        gc.collect()
        number, files = threads(), descriptors()
        for _ in range(_ROUNDS):
            self._both(good, bad)
        more = settles(lambda: threads() - number >= _ROUNDS)
        require(not more, f"read must end every thread, but {threads() - number} more are there after {_ROUNDS} rounds")
        settles(lambda: len(descriptors()) > len(files))
        named = [what for fd, what in descriptors().items() if files.get(fd) != what]
        leaks = len(descriptors()) > len(files)
        require(not leaks, f"read must close every descriptor, but these stay open: {', '.join(named[:5])}")

    def test_memory_is_bounded(self) -> None:
        """Many reads need no more memory than a few."""
        good, bad = self.put(_TEXT.encode()), self.missing()
        source = self.source()

        def both() -> None:
            source.read(good, SourceContext(self.deadline_s))
            self._both(good, bad)

        for _ in range(_ROUNDS):
            both()
        gc.collect()
        before = data_bytes()
        for _ in range(_MANY):
            both()
        gc.collect()
        grown = data_bytes() - before
        require(grown < _MANY * _LEAK_BYTES, f"memory must be bounded, but {_MANY} reads have kept {grown // 1024} KiB")

    def _both(self, good: str, bad: str) -> None:
        self.read(good)
        self.refused(bad, "a location at which there is nothing must raise SourceError")


class SourceHangSuite(SourceSuite):
    """For a source that waits for somebody, who may not answer."""

    def hanging(self) -> str:
        """A location whose owner takes the question and does not answer."""
        raise NotImplementedError("SourceHangSuite needs hanging(): see corepilot.testing.sources")

    def test_a_deadline_is_kept(self) -> None:
        """`read` gives up in time, with an error: the loader would be killed, and nobody could say why."""
        self.refused(self.hanging(), "read must give up at its deadline", 0.5)
