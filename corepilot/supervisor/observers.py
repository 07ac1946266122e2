"""The observers over all configurations, which a reload changes or keeps."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import gevent

from corepilot import _version
from corepilot.errors import CorepilotError
from corepilot.model.plugin import PluginReference
from corepilot.observers.facts import Facts

if TYPE_CHECKING:
    from corepilot.observers.watching import Watching
    from corepilot.plugin.manager import Plugins
    from corepilot.plugin.oversight import Oversight


class PreparedObservers:
    """Observers that are ready for use; those that stay are shared with the ones in use.

    Attributes:
        references: What the configuration names.
        watching: In its order, new ones not started.
    """

    def __init__(self, references: tuple[PluginReference, ...]) -> None:
        self.references = references
        self.watching: list[Watching] = []


class Observers:
    """The observers of this process.

    Args:
        log: Takes a level and a message.
        facts: What they are told.
        environment: What corepilot was given.
    """

    def __init__(self, log: Callable[[str, str], None], facts: Facts, environment: Mapping[str, str]) -> None:
        self._log, self._facts, self._environment = log, facts, environment
        self._oversight: Oversight | None = None
        self._current = PreparedObservers(())

    @property
    def watching(self) -> tuple["Watching", ...]:
        """The observers at work."""
        return tuple(self._current.watching)

    def start(self, references: tuple[PluginReference, ...], plugins: "Plugins", oversight: "Oversight") -> None:
        """Import and start the observers of the first configuration. One that fails is logged."""
        self._oversight = oversight
        self._current = PreparedObservers(references)
        for reference in references:
            try:
                watching = self._make(reference, plugins, oversight)
            except CorepilotError as error:
                self._log("error", f"{error}; it observes nothing")
                continue
            watching.start(self._facts)
            self._current.watching.append(watching)

    def prepare(
        self, references: tuple[PluginReference, ...], plugins: "Plugins | None", oversight: "Oversight"
    ) -> PreparedObservers | None:
        """Do what can fail. None if the observers stay as they are.

        Raises:
            CorepilotError: one cannot be used; nothing has changed.
        """
        self._oversight = oversight
        if references == self._current.references:
            return None
        prepared = PreparedObservers(references)
        kept = [one for one in self._current.watching if not one.boundary.off]
        try:
            for reference in references if plugins is not None else ():
                same = next((one for one in kept if one.reference == reference), None)
                if same is not None:
                    kept.remove(same)
                    prepared.watching.append(same)
                elif plugins is not None:
                    prepared.watching.append(self._make(reference, plugins, oversight))
        except BaseException:
            self.discard(prepared)
            raise
        return prepared

    def commit(self, prepared: PreparedObservers | None) -> None:
        """Switch to what `prepare` returned. New ones are told of what happens from now on."""
        if prepared is None:
            return
        old, self._current = self._current, prepared
        for one in old.watching:
            if one not in prepared.watching:
                gevent.spawn(self._end, one)
        for one in prepared.watching:
            if one not in old.watching:
                one.start(self._facts)

    def discard(self, prepared: PreparedObservers) -> None:
        """Close what was prepared and is not to be used."""
        for one in prepared.watching:
            if one not in self._current.watching:
                one.close()
                self._release(one)

    def close(self) -> None:
        """Tell them what is left, and close them, all at the same time."""
        gevent.joinall([gevent.spawn(self._end, one) for one in self._current.watching])
        self._current = PreparedObservers(())

    def _make(self, reference: PluginReference, plugins: "Plugins", oversight: "Oversight") -> "Watching":
        from corepilot.observers.observer import ObserverContext
        from corepilot.observers.watching import Watching

        loaded = plugins.load(reference, "observer")
        boundary = oversight.boundary(loaded)
        context = ObserverContext(boundary.say, self._environment, _version.__version__)
        try:
            return Watching(
                reference, boundary.call("__init__", loaded.implementation, loaded.options, context), boundary
            )
        except BaseException:
            oversight.release(boundary)
            raise

    def _end(self, watching: "Watching") -> None:
        watching.stop(self._facts)
        self._release(watching)

    def _release(self, watching: "Watching") -> None:
        if self._oversight is not None:
            self._oversight.release(watching.boundary)
