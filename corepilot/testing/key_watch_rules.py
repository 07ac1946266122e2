"""What every backend with keys must do with their watches: the second half of its conformance suite."""

from collections.abc import Callable
from functools import partial

import gevent

from corepilot.errors import BackendError
from corepilot.model.catalog import Entries
from corepilot.testing.key_rules import KeyRules
from corepilot.testing.listener import Follower
from corepilot.testing.process_state import require


class KeyWatchRules(KeyRules):
    """The watch of a key and of a prefix."""

    def test_the_watch_of_an_absent_key_is_empty_at_once(self) -> None:
        """It yields an empty tuple, then the key when it is written, and an empty tuple again when it is deleted."""
        client, writer = self.open(), self.open()
        follower = self.follow_key(client, self.key("app"))
        self.shows(follower)
        for value in (b"one", b"", b"two"):
            self.put(writer, "app", value)
            self.shows(follower, app=value)
        self.done(self.keys(writer).delete, self.key("app"))
        self.shows(follower)
        self.put(writer, "app", b"two")
        self.shows(follower, app=b"two")

    def test_the_watch_of_a_key_opens_with_what_is_there(self) -> None:
        """In every client."""
        first, second = self.open(), self.open()
        self.put(first, "app", b"one")
        for client in (first, second):
            self.shows(self.follow_key(client, self.key("app")), app=b"one")

    def test_the_watch_of_a_key_is_of_that_key(self) -> None:
        """Keys below it, and those whose names begin with it, are not shown."""
        client, writer = self.open(), self.open()
        follower = self.follow_key(client, self.key("app"))
        self.shows(follower)
        for name in ("app/below", "apple", "app-1", "ap"):
            self.put(writer, name, b"other")
        self.put(writer, "app", b"one")
        self.shows(follower, app=b"one")
        strange = {entry.key for seen in follower.snapshots for entry in seen} - {self.key("app")}
        require(not strange, f"the watch of a key must show that key only, but showed {sorted(strange)}")

    def test_the_watch_of_a_prefix_is_its_list(self) -> None:
        """It shows at once, and after every change at any depth, what `list` tells; not the key of that name."""
        client, writer = self.open(), self.open()
        self.put(writer, "app/a", b"1")
        follower = self.follow_key(client, self.key("app"), prefix=True)
        self.shows(follower, **{"app/a": b"1"})
        self.put(writer, "app/b/c/d", b"2")
        self.shows(follower, **{"app/a": b"1", "app/b/c/d": b"2"})
        self.put(writer, "app/a", b"3")
        self.shows(follower, **{"app/a": b"3", "app/b/c/d": b"2"})
        for name in ("app", "apple/x", "app-x"):
            self.put(writer, name, b"other")
        self.put(writer, "app/b", b"4")
        self.shows(follower, **{"app/a": b"3", "app/b": b"4", "app/b/c/d": b"2"})
        self.done(self.keys(writer).delete, self.key("app/b"))
        self.shows(follower, **{"app/a": b"3", "app/b/c/d": b"2"})
        self.done(self.keys(writer).delete, self.key("app/a"))
        self.done(self.keys(writer).delete, self.key("app/b/c/d"))
        self.shows(follower)
        strange = {entry.key for seen in follower.snapshots for entry in seen if "app/" not in entry.key}
        require(not strange, f"a prefix is segments, but the watch of app showed {sorted(strange)}")
        unsorted = [seen for seen in follower.snapshots if list(seen) != sorted(set(seen))]
        require(not unsorted, f"what a watch shows must be sorted by key, each once, but it showed {unsorted[:1]}")

    def test_the_watch_of_a_prefix_with_a_slash(self) -> None:
        """A slash at the end of a prefix means nothing."""
        client = self.open()
        follower = self.follow_key(client, self.key("app/"), prefix=True)
        self.shows(follower)
        self.put(client, "app/a", b"1")
        self.shows(follower, **{"app/a": b"1"})

    def test_a_watch_shows_the_last_state_after_a_burst(self) -> None:
        """It may leave out states, but never the last one, and never shows an older one after a newer one."""
        client, writer = self.open(), self.open()
        follower = self.follow_key(client, self.key("app"))
        below = self.follow_key(client, self.key("many"), prefix=True)
        self.shows(follower)
        self.shows(below)
        for number in range(1, 51):
            self.put(writer, "app", b"%d" % number)
            self.put(writer, f"many/{number % 3}", b"%d" % number)
        self.shows(follower, app=b"50")
        self.shows(below, **{"many/0": b"48", "many/1": b"49", "many/2": b"50"})
        told = [int(seen[0].value) for seen in follower.snapshots if seen]
        require(told == sorted(told), f"a watch must not show an older state after a newer one, but showed {told}")

    def test_a_watch_ends_up_with_a_key_that_comes_and_goes(self) -> None:
        """Deleted and made again, with the same value: what it shows last is what `get` tells, version and all."""
        client, writer = self.open(), self.open()
        follower = self.follow_key(client, self.key("app"))
        self.shows(follower)
        for _ in range(20):
            self.put(writer, "app", b"one")
            self.done(self.keys(writer).delete, self.key("app"))
        for _ in range(2):
            self.put(writer, "app", b"one")
            told = (self.read(writer, "app"),)
            follower.until(told.__eq__, f"what get tells, {told}", self.deadline_s)
            self.done(self.keys(writer).delete, self.key("app"))

    def test_many_keys_are_watched(self) -> None:
        """Two hundred keys below one prefix are one snapshot, in order."""
        client, writer = self.open(), self.open()
        follower = self.follow_key(client, self.key("many"), prefix=True)
        self.shows(follower)
        for number in range(200):
            self.put(writer, f"many/{number % 7}/{number}", b"%d" % number)
        self.shows(follower, **{f"many/{number % 7}/{number}": b"%d" % number for number in range(200)})

    def test_a_killed_watch_of_keys_ends(self) -> None:
        """Killing the greenlet that waits in it ends it; the client and its other watches go on."""
        client = self.open()
        killed, other = (self.follow_key(client, self.key("app"), prefix=prefix) for prefix in (True, False))
        self.shows(killed)
        self.shows(other)
        killed.kill(self.deadline_s)
        self.put(client, "app", b"one")
        self.shows(other, app=b"one")

    def test_a_watch_of_keys_that_is_closed_ends_its_thread(self) -> None:
        """Also while nothing changes."""
        client = self.open()
        for prefix in (False, True) if self.has("watch") else ():
            self.leaves_no_thread(partial(self.keys(client).watch, self.key("app"), prefix=prefix))

    def test_closing_the_client_ends_the_watches_of_keys(self) -> None:
        """`close` ends a watch that waits."""
        client = self.open()
        followers = [self.follow_key(client, self.key("app"), prefix=prefix) for prefix in (True, False)]
        for follower in followers:
            self.shows(follower)
        client.close()
        for follower in followers:
            error = follower.until_ended(self.deadline_s)
            require(
                isinstance(error, (BackendError, StopIteration, gevent.GreenletExit)),
                f"a watch whose client is closed must raise a BackendError or end, but raised {error!r}",
            )

    def test_a_closed_client_answers_nothing(self) -> None:
        """After `close` every call on the keys raises a BackendError."""
        client = self.open()
        self.put(client, "app", b"one")
        facet = self.keys(client)
        client.close()
        calls: tuple[Callable[[], object], ...] = (
            lambda: facet.get(self.key("app")),
            lambda: facet.put(self.key("app"), b"two"),
        )
        for call in calls:
            try:
                call()
            except BackendError:
                continue
            raise AssertionError("a call on the keys of a client that was closed must raise a BackendError")

    def shows(self, follower: Follower[Entries], **values: bytes) -> None:
        """Wait until a watch shows exactly these keys of the test, with these values."""
        wanted = {self.key(name): value for name, value in sorted(values.items())}
        follower.until(
            lambda seen: {entry.key: entry.value for entry in seen} == wanted,
            f"exactly {wanted!s:.300}",
            self.deadline_s,
        )
