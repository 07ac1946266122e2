"""The rules that hold for every plugin in the hub's thread, whatever its kind: what its instances do to the process.

The suites of backends, sinks, checks and observers inherit them. Each has one test, whose failure names it.
"""

import gc
import weakref
from collections.abc import Callable
from typing import Any

import gevent

from corepilot.testing.audit import inputs_and_outputs
from corepilot.testing.process_state import (
    ProcessState,
    data_bytes,
    descriptors,
    require,
    require_unpatched,
    settles,
    threads,
)
from corepilot.testing.secrecy import leaked_secrets
from corepilot.testing.watchdog import NAMED_S, Watchdog, bounded
from corepilot.testing.watched import Allowed, Watched

_TRIES = 3
_HELD_ROUNDS = 5
_ROUNDS = 5
_MANY = 24
_LEAK_BYTES = 512 * 1024
_ATTEMPTS = 3


class Conduct:
    """A subclass says how an instance is made (`new`) and used (`use`).

    Attributes:
        contract: The class that instances are of.
        allowed: What each method may raise.
        parts: Attributes of an instance that are part of its contract.
        close_s: Seconds that `close` may take.
        closes_twice: Whether the contract lets `close` be called again.
        deadline_s: Seconds that anything may take that waits for the outside.
    """

    contract: type[Any] = object
    allowed: Allowed = {}  # noqa: RUF012  - read only
    parts: tuple[str, ...] = ()
    close_s: float = 0.25
    closes_twice: bool = True
    deadline_s: float = 20.0
    _watchdog: Watchdog | None = None

    def new(self) -> Any:
        """A new instance, as corepilot would make it. Whoever asks for it closes it."""
        raise NotImplementedError

    def use(self, plugin: Any) -> None:
        """One ordinary round of calls of every method, `close` left out."""
        raise NotImplementedError

    def setup_method(self) -> None:
        """Called by pytest before each test."""
        self._unclosed: list[Any] = []

    def teardown_method(self) -> None:
        """Called by pytest after each test: closes what the test has left open, and ends the watchdog."""
        try:
            for plugin in self._unclosed:
                plugin.close()
        finally:
            self._unclosed = []
            watchdog, self._watchdog = self._watchdog, None
            if watchdog is not None:
                watchdog.stop()
                require(not watchdog.fault, watchdog.fault)

    @property
    def watchdog(self) -> Watchdog:
        """The test's watchdog; it begins with the first call of the plugin's code."""
        if self._watchdog is None:
            self._watchdog = Watchdog()
        return self._watchdog

    def made(self) -> Any:
        """A new instance behind the watchdog; the caller closes it."""
        plugin = self.reached(self.watchdog.run("__init__", self.new))
        return Watched(plugin, self.watchdog, self.allowed, self.parts)

    def reached(self, plugin: Any) -> Any:
        """An instance as corepilot reaches it."""
        return plugin

    def kept(self) -> Any:
        """A new instance behind the watchdog; closed when the test ends."""
        plugin = self.made()
        self._unclosed.append(plugin)
        return plugin

    def test_making_one_is_fast_and_does_no_io(self) -> None:
        """`__init__` returns at once, without opening, connecting or starting anything."""
        self.made().close()  # what is imported only now
        for _ in range(_TRIES):
            found: list[str] = []
            with inputs_and_outputs(self.contract, found):
                plugin = self.made()
            plugin.close()
            require(not found, f"__init__ must not do I/O, but did {', '.join(found[:3])}")
        taken_s = min(call.total_s for call in self.watchdog.calls if call.what == "__init__")
        require(taken_s < NAMED_S, f"__init__ must return at once, but took {taken_s:.2f} s")

    def test_no_call_blocks_the_hub(self) -> None:
        """No call keeps the hub from turning for more than a tenth of a second.

        A loaded machine is slow now and then, a plugin always: what is held up for longer gets more rounds, and the
        shortest time of each call counts. `__init__` and `close` are called once a round.
        """
        said = ""
        for _ in range(_HELD_ROUNDS):
            plugin = self.kept()
            for _ in range(_TRIES):
                self.use(plugin)
                require(not self.watchdog.fault, self.watchdog.fault)  # in a greenlet: the next rounds would not differ
            self.teardown_of(plugin)
            said = self._held_up()
            if not said:
                return
        raise AssertionError(f"the hub must never be blocked: {said}")

    def test_close_returns_at_once(self) -> None:
        """`close` waits for nothing, whatever was done before."""
        for _ in range(_TRIES):
            plugin = self.made()
            self.use(plugin)
            bounded(2 * self.close_s + 1, "close must return at once", plugin.close)
        taken_s = min(call.total_s for call in self.watchdog.calls if call.what == "close")
        require(taken_s < self.close_s, f"close must return at once, but took {taken_s:.2f} s")

    def test_close_may_be_called_again(self) -> None:
        """`close` is idempotent, also for an instance that was never used. Not asked where the contract says once."""
        used, unused = self.made(), self.made()
        self.use(used)
        for plugin in (used, unused):
            for _ in range(2 if self.closes_twice else 1):
                bounded(self.close_s + 1, "close must return at once", plugin.close)

    def test_nothing_is_left_behind(self) -> None:
        """What was closed leaves no greenlet, thread or descriptor, and no greenlet of it runs on."""
        before = threads()
        self._come_and_go()
        settles(lambda: threads() > before, gevent.sleep)  # what ends does; what is started only once stays
        gc.collect()
        number, files = threads(), descriptors()
        spawned: weakref.WeakSet[Any] = weakref.WeakSet()
        gevent.Greenlet.add_spawn_callback(spawned.add)
        try:
            for _ in range(_ROUNDS):
                self._come_and_go()
        finally:
            gevent.Greenlet.remove_spawn_callback(spawned.add)
        left = settles(lambda: [one for one in spawned if not one.dead], gevent.sleep)
        require(not left, f"close must end every greenlet, but {len(left)} run on, such as {left[:1]}")
        more = settles(lambda: threads() - number >= _ROUNDS, gevent.sleep)
        require(
            not more, f"close must end every thread, but {threads() - number} more are there after {_ROUNDS} rounds"
        )
        open_files = settles(lambda: len(descriptors()) - len(files) > 0, gevent.sleep)
        named = [what for fd, what in descriptors().items() if files.get(fd) != what]
        require(not open_files, f"close must close every descriptor, but these stay open: {', '.join(named[:5])}")

    def test_the_process_is_left_alone(self) -> None:
        """Signal handlers, directory, umask, environment, the standard library and children are as they were."""
        before = ProcessState()
        self._come_and_go()
        self.watchdog.run("afterwards", gevent.sleep, 0)
        watchdog, self._watchdog = self.watchdog, None
        watchdog.stop()
        before.require_unchanged("this one")
        require_unpatched()

    def test_memory_is_bounded(self) -> None:
        """Many calls, and many instances that come and go, need no more memory than a few."""
        plugin = self.kept()

        def call() -> None:
            self.use(plugin)
            self.watchdog.calls.clear()

        self._measure(call, "calls of one instance")
        self._measure(self._come_and_go, "instances that came and went")

    def test_no_secret_is_shown(self) -> None:
        """No value of a secret option, and no password in a URL, is in `address` or in `repr`."""
        shown = leaked_secrets(self.new)
        require(not shown, f"{' and '.join(shown)} must not show a secret")

    def _held_up(self) -> str:
        """The call that has held the hub up each time, and for how long at least; "" for none."""
        for what in sorted({call.what for call in self.watchdog.calls}):
            calls = [call for call in self.watchdog.calls if call.what == what]
            least_s = min(call.held_s for call in calls)
            if least_s >= NAMED_S:
                place = next((call.place for call in calls if call.place), "")
                return f"{what} held it up for {least_s:.2f} s{place and f' ({place})'}"
        return ""

    def teardown_of(self, plugin: Any) -> None:
        """Close an instance of `kept` before the test ends."""
        self._unclosed.remove(plugin)
        plugin.close()

    def _come_and_go(self) -> None:
        plugin = self.made()
        try:
            self.use(plugin)
        finally:
            plugin.close()
        gevent.sleep(0)

    def _measure(self, call: Callable[[], None], what: str) -> None:
        for _ in range(_ROUNDS):
            call()
        for _ in range(_ATTEMPTS):  # the stack of a thread that a pool starts late is no leak, and comes once
            gc.collect()
            before = data_bytes()
            for _ in range(_MANY):
                call()
            gc.collect()
            grown = data_bytes() - before
            if grown < _MANY * _LEAK_BYTES:
                return
        raise AssertionError(f"memory must be bounded, but {_MANY} {what} have kept {grown // 1024} KiB")
