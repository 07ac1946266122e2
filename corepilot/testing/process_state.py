"""What a plugin must leave alone and take back: compared before and after, by the conformance suites of every kind."""

import os
import sys
import time
from collections.abc import Callable
from typing import Any

from corepilot.plugin.footprint import Footprint

GRACE_S = 2.0
"""Seconds in which what is about to end may end."""

_SHOWN_MAX = 400

_PATCHABLE = (
    ("socket", "socket"), ("socket", "create_connection"), ("socket", "getaddrinfo"), ("ssl", "SSLContext"),
    ("time", "sleep"), ("select", "select"), ("select", "poll"), ("threading", "Thread"), ("threading", "Lock"),
    ("_thread", "start_new_thread"), ("queue", "Queue"), ("subprocess", "Popen"), ("os", "fork"), ("os", "waitpid"),
    ("os", "read"), ("os", "write"), ("signal", "signal"), ("builtins", "open"), ("builtins", "__import__"),
)  # fmt: skip


def require(condition: object, rule: str) -> None:
    """Fail the test with the rule that was broken."""
    if not condition:
        raise AssertionError(rule)


def outside_contract(what: str, allowed: str, error: BaseException) -> AssertionError:
    """The failure of a call that raised what its contract does not allow.

    The error is cut, and is not shown by its repr: that of a UnicodeError has the whole text in it, up to megabytes.
    """
    raised = f"{type(error).__name__}: {error}"
    raised = raised if len(raised) <= _SHOWN_MAX else f"{raised[:_SHOWN_MAX]} …"
    return AssertionError(f"errors must be those of the contract: {what} may raise {allowed}, and raised {raised}")


def settles(question: Callable[[], Any], wait: Callable[[float], object] = time.sleep, grace_s: float = GRACE_S) -> Any:
    """The answer once it is empty, or what it is when the grace is over.

    Args:
        question: What is left.
        wait: `gevent.sleep` where greenlets have to run meanwhile.
        grace_s: Seconds until the grace is over.
    """
    deadline = time.monotonic() + grace_s
    while (answer := question()) and time.monotonic() < deadline:
        wait(0.01)
    return answer


class ProcessState:
    """Signals, directory, umask, environment, the standard library and children, as they are now."""

    def __init__(self) -> None:
        self._footprint = Footprint.take()
        self._library = _library()

    def changes(self) -> list[str]:
        """What is different now, in words."""
        now = Footprint.take()
        # Threads have a rule of their own.
        changed = self._footprint.changes_to(now._replace(threads=self._footprint.threads))
        library = _library()
        for name, before in self._library.items():
            if before is not None and library[name] is not before:
                changed.append(f"{name} of the standard library")
        return changed

    def require_unchanged(self, what: str) -> None:
        """Fail unless everything is as it was.

        Args:
            what: Who may have changed it.
        """
        changed = settles(self.changes)  # children may be about to end
        self._footprint.restore()
        require(not changed, f"a plugin must leave the process alone, but {what} changed {' and '.join(changed)}")


def require_unpatched() -> None:
    """Fail if gevent's monkey-patching has been at work."""
    patched = sorted(getattr(sys.modules.get("gevent.monkey"), "saved", ()))
    require(
        not patched,
        f"nothing may be monkey-patched: corepilot is not, and neither is this process, but for {', '.join(patched)}",
    )


def descriptors() -> dict[int, str]:
    """Open descriptors, and what each of them is."""
    found = {}
    for name in os.listdir("/proc/self/fd"):
        try:
            found[int(name)] = os.readlink(f"/proc/self/fd/{name}")
        except OSError:
            continue  # the descriptor of this very listing
    return found


def threads() -> int:
    """Native threads, whoever started them."""
    return len(os.listdir("/proc/self/task"))


def data_bytes() -> int:
    """The size of the data segment, which knows what was allocated in C as well, touched or not."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[5]) * os.sysconf("SC_PAGE_SIZE")


def _library() -> dict[str, Any]:
    found = {}
    for module, name in _PATCHABLE:
        found[f"{module}.{name}"] = getattr(sys.modules.get(module), name, None)
    return found
