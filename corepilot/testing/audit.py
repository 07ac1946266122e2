"""Input and output that happen within a constructor, by Python's audit events (https://docs.python.org/3/library/audit_events.html)."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

_EVENTS = (
    "open", "os.listdir", "os.scandir", "os.mkdir", "os.remove", "os.rename", "os.truncate", "os.fork", "os.forkpty",
    "os.posix_spawn", "os.system", "os.exec", "subprocess.Popen", "fcntl.flock", "fcntl.lockf",
    "_thread.start_new_thread", "socket.__new__", "socket.bind", "socket.connect", "socket.sendto",
    "socket.getaddrinfo", "socket.gethostbyname", "urllib.Request", "http.client.connect",
)  # fmt: skip

_watching: list[tuple[type[Any], list[str]]] = []
_installed = False


@contextmanager
def inputs_and_outputs(contract: type[Any], found: list[str]) -> Iterator[None]:
    """Put into `found` what the constructors of a class, and of its subclasses, do in the block, with file and line.

    What an import does does not count, nor does reading what the kernel keeps in memory (/proc, /sys). A hook for audit
    events cannot be removed: one is installed, and idles.
    """
    global _installed  # noqa: PLW0603  - there is one interpreter
    if not _installed:
        sys.addaudithook(_heard)
        _installed = True
    _watching.append((contract, found))
    try:
        yield
    finally:
        _watching.pop()


def _heard(event: str, arguments: tuple[Any, ...]) -> None:
    if not _watching or event not in _EVENTS:
        return
    if event == "open" and str(arguments[0]).startswith(("/proc/", "/sys/")):
        return
    contract, found = _watching[-1]
    place = ""
    frame: FrameType | None = sys._getframe(1)  # noqa: SLF001  - there is no other way to the caller
    while frame is not None:
        file = frame.f_code.co_filename
        if file.startswith("<frozen importlib"):
            return
        place = place or f"{file}:{frame.f_lineno}"
        if frame.f_code.co_name == "__init__" and isinstance(frame.f_locals.get("self"), contract):
            found.append(f"{event} ({place})")
            return
        frame = frame.f_back
