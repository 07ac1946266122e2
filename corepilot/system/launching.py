"""Starts a job whose settings are more than posix_spawn can do: through `corepilot.system.launcher`.

The hub never waits for it: what fails comes over a pipe that is read when there is something to read. Imported only for
a job that has such settings.
"""

import importlib
import marshal
import os
import sys
from collections.abc import Callable, Mapping
from importlib.machinery import SourceFileLoader
from typing import Any

from corepilot.system.kernel import signal
from corepilot.system.launcher import REPORT_MAX_BYTES
from corepilot.system.memory_file import memory_file
from corepilot.system.process import NOT_EXECUTABLE, Reaper, spawn

_MODULES = tuple([f"corepilot.system.{name}" for name in ("programs", "variables", "identity", "launcher")])
"""What the launcher consists of, each after what it imports. They import the standard library and each other."""

# Their code is handed over, and not found by a search path: none of the application's can come in between, and there
# may be no files, as in a zip.
_PROGRAM = """\
import marshal, sys
with open(int(sys.argv[1]), "rb") as file:
    modules, request = marshal.load(file), marshal.load(file)
for name, code in modules:
    module = sys.modules[name] = type(sys)(name)
    exec(code, module.__dict__)
module.main(int(sys.argv[2]), request)
"""

_SPEC, _REPORT = 3, 4
"""The descriptors that the launcher finds them under."""


class LaunchReport:
    """What becomes of one start: nothing is said of one that succeeds.

    Args:
        loop: gevent's loop.
        read_end: The pipe; closed when the program runs, or the process has ended.
    """

    def __init__(self, loop: Any, read_end: int) -> None:
        self._read_end = read_end
        self._data = b""
        os.set_blocking(read_end, False)
        self._watcher = loop.io(read_end, 1)
        self._watcher.start(self._read)

    def finish(self) -> tuple[int, str]:
        """The process has ended: exit status and reason if it never became the program, else 0 and ""."""
        while self._read():
            pass
        self.close()
        status, _, reason = self._data.decode("utf-8", "replace").partition(" ")
        return (int(status) if status.isdigit() else NOT_EXECUTABLE, reason) if self._data else (0, "")

    def close(self) -> None:
        """Read no more. Idempotent."""
        if self._read_end >= 0:
            self._watcher.stop()
            self._watcher.close()
            os.close(self._read_end)
            self._read_end = -1

    def _read(self) -> bool:
        """Whether there may be more."""
        if self._read_end < 0:
            return False
        try:
            data = os.read(self._read_end, REPORT_MAX_BYTES)
        except BlockingIOError:
            return False
        self._data = (self._data + data)[:REPORT_MAX_BYTES]
        if not data:
            self.close()
        return bool(data)


def launch(
    request: Mapping[str, Any],
    reaper: Reaper,
    exited: Callable[[int], None],
    loop: Any,
    *,
    output: int | None,
    errors: int | None,
    stdin: int | None,
    inherited: Mapping[int, int],
    session: bool = False,
) -> tuple[int, LaunchReport]:
    """Start a job: its pid, which is also its process group, and what its start reports.

    Args:
        request: See `corepilot.jobs.settings.request_of`.
        reaper: Who waits for it.
        exited: As for `spawn`. Ask the report then.
        loop: gevent's loop.
        output: As for `spawn`.
        errors: As for `spawn`.
        stdin: As for `spawn`.
        inherited: As for `spawn`.
        session: As for `spawn`.

    Raises:
        SpawnError, OSError: It could not be started; nothing is open.
    """
    # The launcher needs 3 and 4 itself: what the job is to find comes under other numbers, and goes to its own at last.
    places = dict(enumerate(inherited, _REPORT + 1))
    spec = memory_file(_code() + marshal.dumps({**request, "descriptors": list(places.items())}))
    read_end = write_end = -1
    try:
        read_end, write_end = os.pipe2(os.O_CLOEXEC)
        command = [sys.executable, "-I", "-S", "-c", _PROGRAM, str(_SPEC), str(_REPORT)]
        files = {_SPEC: spec, _REPORT: write_end, **{place: inherited[number] for place, number in places.items()}}
        pid = spawn(
            command, os.environ, reaper, exited,
            output=output, errors=errors, stdin=stdin, inherited=files, session=session, blocked=(signal.SIGINT,),
        )  # fmt: skip
    except BaseException:
        if read_end >= 0:
            os.close(read_end)
        raise
    finally:
        os.close(spec)
        if write_end >= 0:
            os.close(write_end)
    return pid, LaunchReport(loop, read_end)


_made = b""


def _code() -> bytes:
    global _made  # noqa: PLW0603  - made once
    if not _made:
        codes = []
        for name in _MODULES:
            module = importlib.import_module(name)
            loader: Any = module.__loader__
            if not hasattr(loader, "get_code"):  # one that changes the code, such as that of pytest
                loader = SourceFileLoader(name, str(module.__file__))
            codes.append((name, loader.get_code(name)))
        _made = marshal.dumps(codes)
    return _made
