"""What a watch knows of a catalog's keys: those that it is about, and what they hold."""

import os
from collections.abc import Callable, Mapping

from corepilot.discovery.embedded.alarms import Alarms
from corepilot.discovery.embedded.clock import BootClock
from corepilot.discovery.embedded.framing import ForeignRecordError
from corepilot.discovery.embedded.inspection import FileVersion, version_of
from corepilot.discovery.embedded.key_file import is_below, may_be_below, read
from corepilot.discovery.embedded.names import key_file_name
from corepilot.model.catalog import Entries, Entry

_AGAIN_S = 0.5


class KeyView:
    """The keys of one watch. The methods are `View`'s.

    Args:
        directory: Where the keys' files are.
        key: The key, or the prefix.
        prefix: Which of the two.
        slash: What every key is told with at its beginning: "/" where it was asked for.
        clock: Now.
        ignore: Told of each file that is ignored: its path, and why.
        breathe: Called between two files; may let others run.

    Attributes:
        files: How many there were when all were looked at.
    """

    def __init__(
        self,
        directory: str,
        key: str,
        *,
        prefix: bool,
        slash: str,
        clock: BootClock,
        ignore: Callable[[str, str], None],
        breathe: Callable[[], None],
    ) -> None:
        self.files = 0
        self._directory, self._key, self._prefix, self._slash = directory, key, prefix, slash
        self._clock, self._ignore, self._breathe = clock, ignore, breathe
        self._name = key_file_name(key)
        self._complete = False
        self._entries: dict[str, Entry] = {}
        self._versions: dict[str, FileVersion | None] = {}
        self._again = Alarms()
        self._snapshot: Entries | None = None

    @property
    def unclear(self) -> frozenset[str]:
        """Nothing: files of keys are never half written."""
        return frozenset()

    def read_all(self, *, locks: bool = True) -> set[str]:
        """Look at every file that is of another version; returns the names that were not as we knew them.

        Raises:
            OSError: the directory cannot be read; or, the first time, one of the files.
        """
        del locks  # keys have no holder
        names = {name for name in os.listdir(self._directory) if not name.startswith(".") and self._concerns(name)}
        self.files = len(names)
        changed = set()
        for name in names | self._versions.keys():
            self._breathe()
            if not self._is_known(name) and self._inspect(name):
                changed.add(name)
        self._complete = True
        return changed

    def read(self, names: Mapping[str, int], closed: int) -> None:
        """Look at the files that something happened to."""
        del closed
        for name in names:
            if self._concerns(name):
                self._breathe()
                self._inspect(name)

    def read_unclear(self) -> None:
        """Look again at what could not be read."""
        for name in self._again.due(self._clock()):
            self._inspect(name)

    def next_inspection_s(self) -> float | None:
        """Seconds until that; None for never."""
        at = self._again.next()
        return None if at is None else max(0.0, at - self._clock())

    def snapshot(self) -> Entries:
        """The keys, sorted; the same object as before, as long as nothing has changed."""
        if self._snapshot is None:
            self._snapshot = tuple(sorted(self._entries.values(), key=lambda one: one.key))
        return self._snapshot

    def _concerns(self, name: str) -> bool:
        return may_be_below(name, self._key) if self._prefix else name == self._name

    def _is_known(self, name: str) -> bool:
        version = self._versions.get(name)
        if version is None:
            return False
        try:
            return version_of(os.stat(os.path.join(self._directory, name), follow_symlinks=False)) == version
        except OSError:
            return False

    def _inspect(self, name: str) -> bool:
        path = os.path.join(self._directory, name)
        entry = None
        try:
            version = version_of(os.stat(path, follow_symlinks=False))
            found = read(path)
        except (FileNotFoundError, NotADirectoryError):
            self._versions.pop(name, None)
        except ForeignRecordError as error:
            self._versions[name] = version
            self._ignore(path, str(error))
        except PermissionError as error:  # of the file: its directory has let us look at its status
            if name in self._entries:
                return self._keep(name, error)
            self._versions[name] = version_of(os.stat(path, follow_symlinks=False))
            self._ignore(path, f"it cannot be read: {error.strerror}")
        except OSError as error:
            if not self._complete:
                raise
            return self._keep(name, error)
        else:
            self._versions[name] = version
            if key_file_name(found.key) != name:
                self._ignore(path, "it is a copy of another key's file")
            elif self._shows(found.key):
                entry = Entry(self._slash + found.key, found.value, found.version)
        self._again.discard(name)
        if entry == self._entries.get(name):
            return False
        self._snapshot = None
        if entry is None:
            del self._entries[name]
        else:
            self._entries[name] = entry
        return True

    def _keep(self, name: str, error: OSError) -> bool:
        """Only what is not there is gone."""
        self._ignore(os.path.join(self._directory, name), f"{error.strerror}; keeping what is known of it")
        self._again.set(name, self._clock() + _AGAIN_S)
        return False

    def _shows(self, key: str) -> bool:
        return is_below(key, self._key) if self._prefix else key == self._key
