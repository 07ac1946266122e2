"""The listening sockets that jobs are handed: had before the jobs start, and kept while their jobs come and go."""

import errno
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from corepilot.errors import ControlError
from corepilot.model.command import Listener
from corepilot.model.configuration import Configuration

if TYPE_CHECKING:
    from corepilot.system.stream_listener import StreamListener

Address = tuple[str, int, str]
Held = Mapping[Address, "StreamListener"]


def listeners_of(configuration: Configuration) -> list[tuple[str, Listener]]:
    """The sockets of all jobs, each with the path of its job."""
    return [
        (job.path, listener)
        for job in configuration.jobs
        if job.command is not None
        for listener in job.command.settings.listen
    ]


class JobSockets:
    """The sockets, by where they listen. What happens to one address concerns all jobs that name it."""

    def __init__(self) -> None:
        self._held: dict[Address, StreamListener] = {}

    def prepare(self, new: Configuration) -> Held:
        """Have those that a configuration needs: what is there already is shared.

        Raises:
            ControlError: one of them cannot be had; nothing has changed.
        """
        made: dict[Address, StreamListener] = {}
        try:
            for path, one in listeners_of(new):
                if one.address in made:
                    continue
                try:
                    made[one.address] = self._held.get(one.address) or _listening(one)
                except OSError as error:
                    where = new.origins.of(f"{path}.listen")
                    place = f"{path}.listen" + (f" ({where})" if where is not None else "")
                    why = f"cannot listen at {one}: {error.strerror or error}"
                    raise ControlError(f"cannot use {place}: {why}") from None
        except BaseException:
            self.discard(made)
            raise
        return made

    def discard(self, prepared: Held) -> None:
        """They are not to be used: close those that are new."""
        for address, one in prepared.items():
            if self._held.get(address) is not one:
                one.close()

    def commit(self, new: Configuration, prepared: Held) -> None:
        """Use these, and close the others. Never raises."""
        for address, held in self._held.items():
            if prepared.get(address) is not held:
                held.close()
        self._held = dict(prepared)
        for _, one in listeners_of(new):
            try:
                self._held[one.address].adjust(one.backlog, one.mode, owner=one.owner)
            except OSError:
                continue  # somebody has taken the path away; who is connected goes on

    def descriptors(self, listen: Sequence[Listener]) -> list[int]:
        """The descriptors of a job's sockets, in their order. They stay ours: the job gets copies.

        Raises:
            OSError: one of them is not there any more.
        """
        try:
            return [self._held[one.address].fileno() for one in listen]
        except KeyError:  # a reload has closed it, and stops this job
            raise OSError(errno.EBADF, "its listening socket is closed") from None

    def close(self) -> None:
        """Close all. Idempotent."""
        while self._held:
            self._held.popitem()[1].close()


def _listening(listener: Listener) -> "StreamListener":
    from corepilot.system.stream_listener import StreamListener  # few configurations need it

    return StreamListener(*listener.address, listener.backlog, listener.mode, owner=listener.owner)
