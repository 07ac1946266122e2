"""What every backend with keys must do with versions: compare-and-set."""

import gevent
from gevent.pool import Group

from corepilot.discovery.backend import Backend
from corepilot.testing.key_rules import KeyRules
from corepilot.testing.process_state import require

_INCREMENTS = 10


class KeyVersionRules(KeyRules):
    """Versions, compare_and_set."""

    def test_every_write_makes_another_version(self) -> None:
        """Also one that writes an earlier value again, and one that makes a key again that was deleted."""
        client = self.open()
        versions = []
        for value in (b"one", b"two", b"one", None, b"one", None, b"two"):
            if value is None:
                self.done(self.keys(client).delete, self.key("app"))
                continue
            self.put(client, "app", value)
            versions.append(self.read(client, "app").version)
        require(
            len(set(versions)) == len(versions),
            f"a version must be another text after every write, but five writes made {versions}",
        )

    def test_a_version_is_the_same_for_everybody(self) -> None:
        """`get`, `list` and `watch` of any client tell one version; reading, and writing another key, changes none."""
        writer, reader = self.open(), self.open()
        self.put(writer, "app/a", b"one")
        version = self.read(writer, "app/a").version
        self.put(writer, "app/b", b"other")
        self.put(writer, "app/a/below", b"other")
        listed = {entry.key: entry.version for entry in self.done(self.keys(reader).list, self.key("app"))}
        follower = self.follow_key(reader, self.key("app/a"))
        told = [
            self.read(reader, "app/a").version,
            listed.get(self.key("app/a")),
            follower.until(bool, "the key", self.deadline_s)[0].version,
        ]
        require(told == [version] * 3, f"a version must be the same for everybody, {version!r}, but was told as {told}")

    def test_create_only(self) -> None:
        """With version None `compare_and_set` writes a key that is not there, and no other."""
        client = self.open()
        self.sets(client, b"one", None)
        self.leaves(client, b"two", None, b"one", "version None stands for a key that is not there, and this one is")
        self.put(client, "app", b"")
        self.leaves(client, b"two", None, b"", "a key with an empty value is there")
        self.done(self.keys(client).delete, self.key("app"))
        self.sets(client, b"three", None)

    def test_an_empty_version_is_not_none(self) -> None:
        """A text that was never a version writes nothing, also one that is empty: it does not stand for None."""
        client = self.open()
        for version in ("", "none"):
            done = self.done(self.keys(client).compare_and_set, self.key("app"), b"one", version)
            there = self.done(self.keys(client).get, self.key("app")) is not None
            why = f"version {version!r} is no version of a key that is not there: compare_and_set must return False"
            require(done is False and not there, f"{why} and write nothing, but it returned {done!r}")

    def test_create_only_beside_keys_below(self) -> None:
        """A key is not there only because there are keys below it."""
        client = self.open()
        self.put(client, "app/below", b"below")
        self.sets(client, b"one", None)
        self.holds(client, "app/below", b"below")

    def test_a_version_is_good_for_one_write(self) -> None:
        """A stale version is refused: after another client's write, after one's own, after an equal one."""
        client, other = self.open(), self.open()
        self.put(client, "app", b"one")
        version = self.read(client, "app").version
        self.sets(client, b"two", version)
        why = "somebody else has written since"
        self.leaves(client, b"three", version, b"two", why)
        version = self.read(client, "app").version
        self.put(other, "app", b"other")
        self.leaves(client, b"three", version, b"other", why)
        self.put(other, "app", b"two")
        self.leaves(client, b"three", version, b"two", why)

    def test_a_version_does_not_outlive_its_key(self) -> None:
        """A key that was deleted is not made by its version, and one that was made again has another."""
        client = self.open()
        self.put(client, "app", b"one")
        version = self.read(client, "app").version
        self.done(self.keys(client).delete, self.key("app"))
        done = self.done(self.keys(client).compare_and_set, self.key("app"), b"two", version)
        require(done is False, "compare_and_set must return False for a key that is gone")
        gone = self.done(self.keys(client).get, self.key("app")) is None
        require(gone, "compare_and_set must not make a key that is gone")
        self.put(client, "app", b"one")
        self.leaves(client, b"two", version, b"one", "the key was deleted and made again since")

    def test_no_increment_is_lost(self) -> None:
        """Clients that compete with `compare_and_set` for one key: each write that is told as done has happened."""
        clients = [self.open(), self.open()]
        self.put(clients[0], "counter", b"0")
        group = Group()
        for client in (*clients, *clients):
            group.spawn(self._increment, client)
        group.join(timeout=self.deadline_s, raise_error=True)
        require(not group, f"competing writers must get on, but after {self.deadline_s:g} s they were not done")
        counted = int(self.read(clients[0], "counter").value)
        wanted = 4 * _INCREMENTS
        require(
            counted == wanted, f"compare_and_set must not lose a write, but of {wanted} increments {counted} are left"
        )

    def test_one_of_many_creates(self) -> None:
        """Of clients that create one key at the same time exactly one is told that it has."""
        clients = [self.open(), self.open(), self.open()]

        def create(number: int) -> bool:
            keys = self.keys(clients[number % 3])
            return keys.compare_and_set(self.key("app"), b"%d" % number, None)

        group = Group()
        tried = [group.spawn(create, number) for number in range(9)]
        group.join(timeout=self.deadline_s, raise_error=True)
        won = [number for number, one in enumerate(tried) if one.value]
        require(len(won) == 1, f"of clients that create one key exactly one may succeed, but {len(won)} of 9 did")
        self.holds(clients[0], "app", b"%d" % won[0])

    def sets(self, client: Backend, value: bytes, version: str | None) -> None:
        """Require that a write with a version succeeds."""
        done = self.done(self.keys(client).compare_and_set, self.key("app"), value, version)
        require(
            done is True, f"compare_and_set must write and return True for the version as it is, but returned {done}"
        )
        self.holds(client, "app", value)

    def leaves(self, client: Backend, value: bytes, version: str | None, held: bytes, why: str) -> None:
        """Require that a write with a version is refused, and that the key still holds what it held."""
        done = self.done(self.keys(client).compare_and_set, self.key("app"), value, version)
        require(done is False, f"compare_and_set must return False, because {why}, but returned {done}")
        found = self.read(client, "app").value
        require(found == held, f"compare_and_set must not write when it returns False, but the key holds {found!r}")

    def _increment(self, client: Backend) -> None:
        keys, key = self.keys(client), self.key("counter")
        left = _INCREMENTS
        while left:
            entry = keys.get(key)
            require(entry is not None, "get must find a key that is there")
            left -= keys.compare_and_set(key, b"%d" % (int(entry.value) + 1), entry.version)  # type: ignore[union-attr]
            gevent.sleep(0)
