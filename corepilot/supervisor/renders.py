"""The files that are made from what is watched, over all configurations."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from corepilot.model.configuration import Render, Watch
from corepilot.model.event import SIGNALS, Event
from corepilot.output.log import Log
from corepilot.system.process import Reaper

if TYPE_CHECKING:
    from corepilot.discovery.watcher import Watcher
    from corepilot.supervisor.file_maker import FileMaker
    from corepilot.system.semaphore import BoundedSemaphore


AT_ONCE = 4
"""Files that are made at a time: each takes a process, some ten megabytes and 30 ms of processor time."""


class Renders:
    """All of them.

    Args:
        log: The log.
        publish: Puts an event on the bus.
        watches: The watches of the configuration.
        watchers: Those that are at work: all, or none where the catalog cannot be used.
        environment: The jobs' environment as it is now.
        reaper: Who waits for the processes that make files.
    """

    def __init__(
        self,
        log: Log,
        publish: Callable[[Event], None],
        *,
        watches: Callable[[], Sequence[Watch]],
        watchers: "Callable[[], Sequence[Watcher]]",
        environment: Callable[[], Mapping[str, str]],
        reaper: Reaper,
    ) -> None:
        self._log, self._publish, self._reaper = log, publish, reaper
        self._watches, self._watchers, self._environment = watches, watchers, environment
        self._turns: BoundedSemaphore | None = None
        self._makers: list[FileMaker] = []

    def commit(self, renders: Sequence[Render], *, anew: bool = False) -> None:
        """Go on with those of another configuration. Each is made again: what is watched may be something else.

        Args:
            renders: The files.
            anew: All of them begin anew.
        """
        known = [] if anew else self._makers
        kept = [next((one for one in known if one.render == render), None) for render in renders]
        before = {maker.render.name: maker for maker in self._makers}
        for maker in self._makers:
            if maker not in kept:
                maker.close()
        self._makers = [
            maker or self._maker(render, before.get(render.name)) for maker, render in zip(kept, renders, strict=True)
        ]
        for maker in self._makers:
            maker.make()

    def hear(self, event: Event) -> None:
        """An event on the bus."""
        for maker in self._makers:
            when = maker.render.when
            if when is None:
                wanted = event.code == "changed" and maker.looks_at(event.subject.removeprefix("watch."))
            elif when.source in SIGNALS:
                wanted = event.key == ("signal", when.source)
            else:
                wanted = event.key == (when.code, when.source)
            if wanted:
                maker.make()

    def answered(self) -> None:
        """Something is known of a watch of which nothing was."""
        for maker in self._makers:
            if maker.waits_for or not maker.healthy:  # one that is at it may have been told of nothing
                maker.make()

    def facts(self) -> Iterator[Event]:
        """What holds: the files that are as their templates make them."""
        for maker in self._makers:
            if maker.healthy:
                yield Event("changed", maker.source)
                yield Event("healthy", maker.source)

    def counts(self) -> dict[str, tuple[int, int]]:
        """How often each file was written, and could not be made."""
        return {maker.render.name: (maker.writes, maker.failures) for maker in self._makers}

    def status(self) -> list[dict[str, object]]:
        """See `FileMaker.status`."""
        return [maker.status() for maker in self._makers]

    def close(self) -> None:
        """Make no more files. Returns at once; processes that are at it are killed, which leaves the old file."""
        for maker in self._makers:
            maker.close()

    def _watched(self) -> "list[tuple[Watch, Watcher | None]]":
        """Each watch, with its watcher."""
        watchers = {one.watch.name: one for one in self._watchers()}
        return [(watch, watchers.get(watch.name)) for watch in self._watches()]

    def _maker(self, render: Render, before: "FileMaker | None") -> "FileMaker":
        from corepilot.supervisor.file_maker import FileMaker
        from corepilot.system.semaphore import BoundedSemaphore

        self._turns = self._turns or BoundedSemaphore(AT_ONCE)
        maker = FileMaker(
            render,
            self._watched,
            self._environment,
            publish=self._publish,
            log=self._log,
            reaper=self._reaper,
            turns=self._turns,
        )
        if before is not None:
            maker.writes, maker.failures = before.writes, before.failures
        return maker
