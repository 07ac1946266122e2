"""The observers over all configurations, which a reload changes or keeps."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import gevent

from corepilot import _version
from corepilot.errors import CorepilotError
from corepilot.model.plugin import PluginReference
from corepilot.observers.facts import Facts

if TYPE_CHECKING:
    from corepilot.observers.attached import AttachedObserver
    from corepilot.plugin.manager import Plugins
    from corepilot.plugin.oversight import Oversight


class PreparedObservers:
    """Observers that are ready for use; those that stay are shared with the ones in use.

    Attributes:
        references: What the configuration names.
        attached: In its order, new ones not started.
    """

    def __init__(self, references: tuple[PluginReference, ...]) -> None:
        self.references = references
        self.attached: list[AttachedObserver] = []


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
    def attached(self) -> tuple["AttachedObserver", ...]:
        """The observers at work."""
        return tuple(self._current.attached)

    def start(self, references: tuple[PluginReference, ...], plugins: "Plugins", oversight: "Oversight") -> None:
        """Import and start the first configuration's observers. One that fails is logged; a reload tries it again."""
        self._oversight = oversight
        self._current = PreparedObservers(references)
        for reference in references:
            try:
                observer = self._make(reference, plugins, oversight)
            except CorepilotError as error:
                self._log("error", f"{error}; it observes nothing")
                continue
            observer.start(self._facts)
            self._current.attached.append(observer)

    def prepare(
        self, references: tuple[PluginReference, ...], plugins: "Plugins | None", oversight: "Oversight"
    ) -> PreparedObservers | None:
        """Do what can fail. None if the observers stay as they are: the same are wanted, and all are at work.

        Raises:
            CorepilotError: one cannot be used; nothing has changed.
        """
        self._oversight = oversight
        all_at_work = len(self._current.attached) == len(references)
        if references == self._current.references and all_at_work:
            return None
        prepared = PreparedObservers(references)
        kept = [one for one in self._current.attached if not one.boundary.off]
        try:
            for reference in references:
                same = next((one for one in kept if one.reference == reference), None)
                if same is not None:
                    kept.remove(same)
                    prepared.attached.append(same)
                else:
                    assert plugins is not None  # noqa: S101  - there are plugins
                    prepared.attached.append(self._make(reference, plugins, oversight))
        except BaseException:
            self.discard(prepared)
            raise
        return prepared

    def commit(self, prepared: PreparedObservers | None) -> None:
        """Switch to what `prepare` returned. New ones are told of what happens from now on."""
        if prepared is None:
            return
        old, self._current = self._current, prepared
        for one in old.attached:
            if one not in prepared.attached:
                gevent.spawn(self._end, one)
        for one in prepared.attached:
            if one not in old.attached:
                one.start(self._facts)

    def discard(self, prepared: PreparedObservers) -> None:
        """Close what was prepared and is not to be used."""
        for one in prepared.attached:
            if one not in self._current.attached:
                one.close()
                self._release(one)

    def close(self) -> None:
        """Tell them what is left, and close them, all at the same time."""
        gevent.joinall([gevent.spawn(self._end, one) for one in self._current.attached])
        self._current = PreparedObservers(())

    def _make(self, reference: PluginReference, plugins: "Plugins", oversight: "Oversight") -> "AttachedObserver":
        from corepilot.observers.attached import AttachedObserver
        from corepilot.observers.observer import ObserverContext
        from corepilot.plugin.boundary import MAKING_S

        loaded = plugins.load(reference, "observer")
        boundary = oversight.boundary(loaded)
        context = ObserverContext(boundary.say, self._environment, _version.__version__)
        try:
            make = loaded.implementation
            observer = boundary.apart("__init__", make, loaded.options, context, deadline_s=MAKING_S)
            return AttachedObserver(reference, observer, boundary)
        except BaseException:
            oversight.release(boundary)
            raise

    def _end(self, observer: "AttachedObserver") -> None:
        observer.stop(self._facts)
        self._release(observer)

    def _release(self, observer: "AttachedObserver") -> None:
        if self._oversight is not None:
            self._oversight.release(observer.boundary)
