"""The facet `keys`: nodes that stay, with the value as their data.

In ZooKeeper a key below another needs that one as a node. What was made only for that holds no data at all (null, which
ZooKeeper tells from empty), and is no key; neither is an empty one with others below it that was never written again,
as kazoo and others make them. A key with others below it is deleted by taking its data away.

A version is "czxid.version": when the node was made, and how often it was written since.
"""

from collections.abc import Iterator

from corepilot.discovery.keys import Keys
from corepilot.errors import BackendError, BackendUnavailableError
from corepilot.model.catalog import Entries, Entry
from corepilot_zookeeper.errors import persistent
from corepilot_zookeeper.key_paths import KeyPaths, entry_of
from corepilot_zookeeper.key_view import KeyView, listed
from corepilot_zookeeper.light_kazoo import exceptions
from corepilot_zookeeper.session import Session
from corepilot_zookeeper.sessions import ReplacedError, Sessions

TRIES = 10
"""Times that others may come in between of before a write is given up."""

_ABSENT = (exceptions.NoNodeError,)
_CONFLICTS = (exceptions.NoNodeError, exceptions.NodeExistsError, exceptions.BadVersionError)


class ZooKeeperKeys(Keys):
    """See `Keys`.

    Args:
        sessions: Those of the backend.
        root: Where the keys are that are not absolute.
    """

    def __init__(self, sessions: Sessions, root: str) -> None:
        self._sessions = sessions
        self._paths = KeyPaths(root)

    def place(self, key: str) -> str:
        """The path of its node, without that at the end of `hosts`."""
        return self._paths.path_of(key)

    @persistent
    def get(self, key: str) -> Entry | None:
        """See `Keys.get`."""
        path = self._paths.path_of(key)
        session, action = self._session("read", key)
        return entry_of(key, *session.wait(action, session.client.get_async(path), absent=_ABSENT))

    @persistent
    def put(self, key: str, value: bytes) -> None:
        """See `Keys.put`."""
        path = self._paths.path_of(key)
        session, action = self._session("write", key)
        for _ in range(TRIES):
            if session.wait(action, session.client.set_async(path, value), absent=_ABSENT)[0] is not None:
                return
            if self._create(session, action, path, value):
                return
        raise _contended(action)

    def compare_and_set(self, key: str, value: bytes, version: str | None) -> bool:
        """See `Keys.compare_and_set`.

        ZooKeeper compares the number of writes, not the node. So one that was deleted, made again and written as often
        within the moment between the two requests of this call is told apart only afterwards: BackendError.
        """
        path = self._paths.path_of(key)
        session, action = self._session("write", key)
        for _ in range(TRIES):
            found = session.wait(action, session.client.get_async(path), absent=_ABSENT)[0]
            entry = entry_of(key, found)
            if (None if entry is None else entry.version) != version:
                return False
            if found is None:
                if self._create(session, action, path, value):
                    return True
                continue
            before = found[1]
            written = session.client.set_async(path, value, before.version)
            after = session.wait(action, written, absent=_CONFLICTS)[0]
            if after is None:
                continue  # what it is now, the next round tells
            if after.czxid != before.czxid:
                raise BackendUnavailableError(f"cannot {action}: it was made again in the meantime; read it again")
            return True
        raise _contended(action)

    @persistent
    def delete(self, key: str) -> None:
        """See `Keys.delete`."""
        path = self._paths.path_of(key)
        session, action = self._session("delete", key)
        done = session.outcome(
            action, session.client.delete_async(path), exceptions.NoNodeError, exceptions.NotEmptyError
        )
        if isinstance(done, exceptions.NotEmptyError):
            session.wait(action, session.client.set_async(path, None), absent=_ABSENT)
        else:
            self._prune(session, action, path)

    @persistent
    def list(self, prefix: str) -> Entries:
        """See `Keys.list`."""
        session, action = self._session("list", prefix)
        return listed(session, action, self._paths, prefix)

    def watch(self, key: str, *, prefix: bool = False) -> Iterator[Entries]:
        """See `Keys.watch`. Nothing is sent before the first `next`."""
        while True:
            session, action = self._session("watch", key)
            view = KeyView(session, action, self._paths, key, prefix=prefix)
            try:
                yield from view.follow()
            except ReplacedError:
                continue
            finally:
                view.close()

    def _session(self, verb: str, key: str) -> tuple[Session, str]:
        action = f"{verb} the key {key}"
        return self._sessions.require(action), action

    def _create(self, session: Session, action: str, path: str, value: bytes) -> bool:
        """Make a node that is not there; False if it is there, or what is above it is not any more."""
        client = session.client
        change = client.transaction()
        change.create(path, value)
        if not value:
            change.set_data(path, value)  # so it has been written twice, and is no node that was only made for others
        failed = session.commit(action, change, _CONFLICTS)
        if isinstance(failed, exceptions.NoNodeError):
            self._make_above(session, action, path)
        return failed is None

    def _make_above(self, session: Session, action: str, path: str) -> None:
        """Make the nodes above one, without data: corepilot's own as all of its, the others as what is no key."""
        root = self._paths.root
        if path.startswith(f"{root}/"):
            session.make_path(action, root)
        known = len(root) if path.startswith(f"{root}/") else 0
        while (known := path.find("/", known + 1)) > 0:
            made = session.client.create_async(path[:known], None)
            session.outcome(action, made, exceptions.NodeExistsError, exceptions.NoNodeError)

    def _prune(self, session: Session, action: str, path: str) -> None:
        """Take away what was made only for a key that is gone, from below: until one is a key, or needed."""
        while (path := path.rpartition("/")[0]) not in {"", self._paths.root}:
            found = session.wait(action, session.client.get_async(path), absent=_ABSENT)[0]
            if found is None or found[0] is not None or found[1].numChildren:
                return
            gone = session.client.delete_async(path, found[1].version)
            if session.outcome(action, gone, *_CONFLICTS, exceptions.NotEmptyError) is not True:
                return


def _contended(action: str) -> BackendError:
    return BackendUnavailableError(f"cannot {action}: others write it all the time")
