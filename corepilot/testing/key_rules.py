"""What every backend with keys must do with what is written: the first half of its conformance suite."""

from gevent.pool import Group

from corepilot.discovery.backend import Backend
from corepilot.discovery.keys import KEY_MAX, VALUE_MAX
from corepilot.errors import BackendRefusedError
from corepilot.model.catalog import Entries, Entry
from corepilot.testing.facet_suite import FacetSuite
from corepilot.testing.process_state import require

VALUES = (
    b"",
    b"text",
    b"two\nlines\r\n",
    "Grüße, 世界, \U0001f600".encode(),
    b'{"json": [1, null]}',
    b"bm90IGJhc2U2NA==",
    bytes(range(256)),
    b"\x00",
    b"\x00" * 4096,
    b"\xff\xfe not UTF-8 \xc3\x28",
)
"""What people, programs and encoders make."""

NAMES = (
    "plain",
    "Plain",
    "with space",
    "Grüße/世界",
    "e\u0301/\u00e9",
    "a=b&c?d#e%2Ff",
    "100%",
    "'single' and \"double\"",
    "dots.and..dots/.hidden",
    "a+b,c;d:e@f!g~h",
    "_-_",
    "back\\slash",
)
"""Keys that have to be possible everywhere; two of them differ in case only."""

REFUSABLE = ("\U0001f600", "a\tb", "\u202eleft", "zookeeper")
"""Keys that a store may refuse, but must not change."""


class KeyRules(FacetSuite):
    """Get, put, delete, list."""

    def test_an_absent_key_is_none(self) -> None:
        """A key that was never written is None, and not below any prefix; deleting it is no error."""
        client = self.open()
        keys = self.keys(client)
        require(self.done(keys.get, self.key("no")) is None, "get must return None for a key that is not there")
        self.done(keys.delete, self.key("no"))
        self.listed(client, self.key())

    def test_what_is_written_is_read_by_everybody(self) -> None:
        """A call that begins after `put` has returned sees what was written, in any client."""
        writer, reader = self.open(), self.open()
        for number in range(20):
            self.put(writer, "app", b"%d" % number)
            self.holds(reader, "app", b"%d" % number)

    def test_every_value_survives(self) -> None:
        """A value is bytes: empty, with zeros, not UTF-8, up to 512 KiB; in `get` and in `list`."""
        client = self.open()
        values = (*VALUES, bytes(range(256)) * (VALUE_MAX // 256))
        for number, value in enumerate(values):
            self.put(client, f"value{number}", b"something else")
            self.put(client, f"value{number}", value)
            self.holds(client, f"value{number}", value)
        found = {entry.key: entry.value for entry in self.done(self.keys(client).list, self.key())}
        for number, value in enumerate(values):
            same = found.get(self.key(f"value{number}")) == value
            require(same, f"a value must come back as it was written, but list has lost {value[:40]!r}")

    def test_a_longer_value_is_refused_or_held(self) -> None:
        """A value of more than 512 KiB is held whole, or BackendRefusedError says no and the old value stays."""
        client = self.open()
        self.put(client, "app", b"old")
        longer = b"x" * (VALUE_MAX + 1)
        try:
            self.done(self.keys(client).put, self.key("app"), longer)
        except BackendRefusedError:
            longer = b"old"
        self.holds(client, "app", longer)

    def test_putting_replaces_and_is_idempotent(self) -> None:
        """`put` makes the key hold the value, whatever it held, however often."""
        client = self.open()
        for value in (b"one", b"two", b"two", b"two", b"", b"three"):
            self.put(client, "app", value)
            self.holds(client, "app", value)
        self.listed(client, self.key(), "app")

    def test_deleting_takes_away_one_key(self) -> None:
        """`delete` takes away its key; keys below it, beside it and above it stay; twice is no error."""
        client = self.open()
        for name in ("app", "app/a", "app/a/b", "app/a/c", "app/ab", "apple"):
            self.put(client, name, name.encode())
        for _ in range(2):
            self.done(self.keys(client).delete, self.key("app/a"))
            require(self.done(self.keys(client).get, self.key("app/a")) is None, "delete must take a key away")
            self.listed(client, self.key(), "app", "app/a/b", "app/a/c", "app/ab", "apple")

    def test_a_key_may_also_be_a_prefix(self) -> None:
        """Of `a`, `a/b` and `a/b/c` each holds its own value, in whatever order they are written and deleted."""
        client = self.open()
        for order in (("a", "a/b", "a/b/c"), ("a/b/c", "a/b", "a"), ("a/b", "a", "a/b/c")):
            for name in order:
                self.put(client, name, name.encode())
            for name in order:
                self.holds(client, name, name.encode())
            self.listed(client, self.key("a"), "a/b", "a/b/c")
            left = list(order)
            for name in order:
                self.done(self.keys(client).delete, self.key(name))
                left.remove(name)
                self.listed(client, self.key(), *left)

    def test_a_prefix_is_segments(self) -> None:
        """`list("app")` tells `app/x` at any depth, sorted; not `apple/x`, `app-x` or `app` itself."""
        client = self.open()
        for name in ("app", "app/x", "app/z", "app/x/y/deep", "apple/x", "app-x", "ap", "App/x", "x/app/x"):
            self.put(client, name, name.encode())
        for prefix in ("app", "app/"):
            self.listed(client, self.key(prefix), "app/x", "app/x/y/deep", "app/z")
        self.listed(client, self.key("app/x"), "app/x/y/deep")
        self.listed(client, self.key("app/z"))

    def test_no_prefix_is_every_key(self) -> None:
        """`list("")` tells all keys that are not absolute; a backend older than this rule may tell none. Never a part.

        corepilot itself names a prefix, always.
        """
        client = self.open()
        names = ("app", "app/x", "app/x/y/deep", "z")
        for name in names:
            self.put(client, name, name.encode())
        found = [entry.key for entry in self.done(self.keys(client).list, "")]
        ours = [key for key in found if key.startswith(f"{self.service}/")]
        wanted = sorted(self.key(name) for name in names)
        require(not found or ours == wanted, f'list of "" must tell every key, {wanted} too, but told {ours} of them')
        absolute = [key for key in found if key.startswith("/")]
        require(not absolute, f'list of "" must tell no absolute keys, but told {absolute}')

    def test_names_stay_as_they_are(self) -> None:
        """Unicode, punctuation, spaces and case; two names that differ are two keys; a key of 512 bytes."""
        client = self.open()
        longest = self.key("/".join(["segment" * 7] * 20))[: KEY_MAX - 1] + "x"
        names = (*NAMES, longest.removeprefix(f"{self.service}/"))
        for name in names:
            self.put(client, name, name.encode())
        for name in names:
            self.holds(client, name, name.encode())
        self.listed(client, self.key(), *names)

    def test_a_name_is_refused_or_stays_as_it_is(self) -> None:
        """What a store cannot use as a key is BackendRefusedError, not another key."""
        client = self.open()
        for name in REFUSABLE:
            try:
                self.put(client, name, name.encode())
            except BackendRefusedError:
                self.listed(client, self.key())
                continue
            self.holds(client, name, name.encode())
            self.done(self.keys(client).delete, self.key(name))

    def test_an_absolute_key_keeps_its_slash(self) -> None:
        """A key that begins with "/" is refused, or is told under the name that it was asked for by."""
        client = self.open()
        keys, key = self.keys(client), f"/{self.key('app')}"
        try:
            self.done(keys.put, key, b"absolute")
        except BackendRefusedError:
            return
        found = self.done(keys.get, key)
        require(found is not None and found.value == b"absolute", f"get must find {key}, but returned {found!r:.80}")
        told = [found.key, *(entry.key for entry in self.done(keys.list, f"/{self.service}"))]  # type: ignore[union-attr]
        require(told == [key, key], f"an entry's key must be as it was asked for, {key}, but get and list told {told}")

    def test_many_keys_at_once(self) -> None:
        """A hundred greenlets put through one client, and all of it is there."""
        client = self.open()
        group = Group()
        for number in range(100):
            group.spawn(self.put, client, f"many/{number}", b"%d" % number)
        group.join(timeout=self.deadline_s, raise_error=True)
        self.listed(client, self.key("many"), *(f"many/{number}" for number in range(100)))

    def put(self, client: Backend, name: str, value: bytes) -> None:
        """Write one of the test's keys."""
        self.done(self.keys(client).put, self.key(name), value)

    def read(self, client: Backend, name: str) -> Entry:
        """One of the test's keys, which has to be there."""
        found = self.done(self.keys(client).get, self.key(name))
        require(isinstance(found, Entry), f"get must return the Entry of a key that is there, but returned {found!r}")
        require(found.key == self.key(name), f"get must tell the key as it was asked for, but told {found!r:.200}")  # type: ignore[union-attr]
        return found  # type: ignore[return-value]  # it was looked at

    def holds(self, client: Backend, name: str, value: bytes) -> None:
        """Require that a key holds a value."""
        found = self.read(client, name)
        require(
            found.value == value,
            f"a value must come back as it was written: {value[:40]!r} ({len(value)} bytes), "
            f"but {name!r} holds {found.value[:40]!r} ({len(found.value)})",
        )

    def listed(self, client: Backend, prefix: str, *names: str) -> Entries:
        """Require that `list` of a prefix tells exactly these keys of the test, in order."""
        found = self.done(self.keys(client).list, prefix)
        told = [entry.key for entry in found]
        wanted = sorted(self.key(name) for name in names)
        missing, surplus = set(wanted) - set(told), set(told) - set(wanted)
        require(not missing, f"list of {prefix!r} must tell every key below it, but lacks {sorted(missing)}")
        require(
            not surplus,
            f"list of {prefix!r} must tell keys that begin with it and a slash only, but told {sorted(surplus)}",
        )
        require(told == wanted, f"list must be sorted by key, each once, but told {told}")
        return found
