"""Which living job hears what: an audience with the jobs in it, and those that leave their seats to others. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence

from corepilot.jobs.actor import Actor
from corepilot.jobs.audience import Audience
from corepilot.model.event import GLOBAL, Event


class Seating:
    """The jobs of a configuration in its audience; nobody until `seat` is called."""

    def __init__(self) -> None:
        self._audience = Audience(())
        self._seats: list[Actor | None] = []
        self._outgoing: dict[tuple[str, str], list[Actor]] = {}

    def seat(self, audience: Audience, actors: Sequence[Actor], outgoing: Iterable[Actor]) -> None:
        """Seat the jobs of the next configuration.

        Args:
            audience: The configuration's.
            actors: One for each of its plans, in order.
            outgoing: Those that still do what their last plan says: they hear what that one hears, too.
        """
        self._audience = audience
        self._seats = [*actors]
        self._outgoing = {}
        for actor in outgoing:
            for event in actor.plan.interests():
                self._outgoing.setdefault(event, []).append(actor)

    def vacate(self, actors: Collection[Actor]) -> None:
        """Some of the jobs will never begin."""
        self._seats = [None if actor in actors else actor for actor in self._seats]

    def interested(self, event: Event) -> list[Actor]:
        """Who has to hear of an event that is not global."""
        seated = self._at(self._audience.interested.get(event.key, ()))
        return [*seated, *[actor for actor in self._outgoing.get(event.key, ()) if actor not in seated]]

    def concerns(self, event: Event) -> bool:
        """Whether anybody has to hear of an event, or of what it means for others of its name."""
        key, audience = event.key, self._audience
        return (
            event.subject == GLOBAL
            or key in audience.interested
            or key in self._outgoing
            or event.subject in audience.siblings
        )

    def siblings(self, name: str) -> list[Actor]:
        """The jobs that share a name, if several do."""
        return self._at(self._audience.siblings.get(name, ()))

    def replicas(self, name: str) -> list[Actor]:
        """The replicas of a job, if it has any."""
        return self._at(self._audience.replicas.get(name, ()))

    def concerned(self, name: str) -> list[Actor]:
        """The other jobs to which the beginning and the end of a job matter."""
        return self._at(self._audience.concerned.get(name, ()))

    def concerned_by(self) -> Iterator[tuple[str, list[Actor]]]:
        """The same for each name that matters to somebody."""
        for name, numbers in self._audience.concerned.items():
            yield name, self._at(numbers)

    @property
    def handled(self) -> Collection[str]:
        """The names of the jobs whose failure starts another one."""
        return self._audience.handled

    def _at(self, numbers: Iterable[int]) -> list[Actor]:
        return [actor for number in numbers if (actor := self._seats[number]) is not None]
