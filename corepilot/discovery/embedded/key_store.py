"""Keys as files: `<path>/.keys/<escaped key>`, all in one directory, whatever the depth of the key.

So one inotify watch tells of everything below a prefix, and there is no directory that could be missing. A write makes
a new file and renames it over the old one (`durable`): everybody reads the old value or the new one, also after a
crash. Among writers the directory's lock makes the comparison and the rename one step; it is held for microseconds.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import suppress

from corepilot.discovery.embedded.client import ATTEMPTS, Client
from corepilot.discovery.embedded.directories import Place
from corepilot.discovery.embedded.durable import staged, synchronise_directory, turn
from corepilot.discovery.embedded.framing import ForeignRecordError
from corepilot.discovery.embedded.key_file import KeyFile, encode, new_version, read
from corepilot.discovery.embedded.key_view import KeyView
from corepilot.discovery.embedded.names import key_file_name
from corepilot.discovery.embedded.tidy import sweep_staged
from corepilot.discovery.keys import Keys
from corepilot.errors import BackendRefusedError
from corepilot.model.catalog import Entries, Entry

DIRECTORY = ".keys"
"""No service's directory begins with a dot."""

_REREAD_S = 30.0
_SWEEP_EVERY_S = 60.0
_ANY = "any"
_Expected = str | None


class EmbeddedKeys(Keys):
    """The facet `keys`. In a shared catalog everybody may write every key: there the directory is not sticky.

    Args:
        client: The catalog.
    """

    def __init__(self, client: Client) -> None:
        self._client = client
        self._place = Place(client.directories, DIRECTORY, keep_sticky=False)
        self._swept_at = -_SWEEP_EVERY_S

    def get(self, key: str) -> Entry | None:
        """See `Keys.get`.

        Raises:
            BackendRefusedError: there is a file, and it is not a key's.
            BackendUnavailableError: it cannot be read now.
        """
        action = f"read the key {key}"
        self._client.require_open(action)
        name = _name(key)
        path = self._path(name)
        try:
            found = read(path)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self._client.explain(action, error) from error
        except ForeignRecordError as error:
            raise BackendRefusedError(f"cannot {action}: {path}: {error}; write the key again, or remove it") from error
        return Entry(_slash(key) + found.key, found.value, found.version)

    def put(self, key: str, value: bytes) -> None:
        """See `Keys.put`.

        Raises:
            BackendError: see there; the disk is full, for example.
        """
        self._write(key, value, _ANY, f"write the key {key}")

    def compare_and_set(self, key: str, value: bytes, version: str | None) -> bool:
        """See `Keys.compare_and_set`."""
        return version != _ANY and self._write(key, value, version, f"write the key {key}")

    def delete(self, key: str) -> None:
        """See `Keys.delete`."""
        action = f"delete the key {key}"
        self._client.require_open(action)
        path = self._path(_name(key))
        try:
            with turn(self._place.path, action):
                os.unlink(path)
            synchronise_directory(self._place.path)
        except FileNotFoundError:
            return
        except OSError as error:
            raise self._client.explain(action, error) from error

    def list(self, prefix: str) -> Entries:
        """See `Keys.list`: what `watch` tells first."""
        stream = self.watch(prefix, prefix=True)
        try:
            return next(stream)
        finally:
            stream.close()  # type: ignore[attr-defined]  # a generator

    def watch(self, key: str, *, prefix: bool = False) -> Iterator[Entries]:
        """See `Keys.watch`."""
        action = f"watch the {'prefix' if prefix else 'key'} {key}"
        name = _name(key.removesuffix("/") if prefix else key)

        def view(breathe: Callable[[], None]) -> KeyView:
            return KeyView(
                self._place.path,
                name,
                prefix=prefix,
                slash=_slash(key),
                clock=self._client.clock,
                ignore=self._client.ignored,
                breathe=breathe,
            )

        nothing: Entries = ()
        yield from self._client.follow(action, self._place, view, nothing, _REREAD_S)

    def _write(self, key: str, value: bytes, expected: _Expected, action: str) -> bool:
        self._client.require_open(action)
        name = _name(key)
        file = KeyFile(name, value, new_version())
        for attempt in range(ATTEMPTS):
            try:
                self._place.make()
                return self._replace(file, expected, action)
            except FileNotFoundError as error:  # the directory was removed by somebody
                if attempt == ATTEMPTS - 1:
                    raise self._client.explain(action, error) from error
            except OSError as error:
                raise self._client.explain(action, error) from error
        raise AssertionError  # the last attempt returns or raises

    def _replace(self, file: KeyFile, expected: _Expected, action: str) -> bool:
        directory, path = self._place.path, self._path(file.key)
        name = os.path.basename(path)
        with staged(directory, name, encode(file), readable_by_all=self._client.directories.shared) as new:
            self._sweep(new)
            self._client.require_open(action)
            with turn(directory, action):
                if expected != _ANY and self._version(path) != expected:
                    return False
                os.rename(new, path)
        synchronise_directory(directory)
        return True

    def _version(self, path: str) -> str | None:
        """The version of a file now; None if there is none."""
        try:
            return read(path).version
        except (FileNotFoundError, NotADirectoryError):
            return None
        except ForeignRecordError:
            return ""  # there is something, and nobody can have read its version

    def _sweep(self, new: str) -> None:
        """Remove what writers that died have left, now and then."""
        with suppress(OSError):
            now = os.stat(new).st_mtime
            if now - self._swept_at >= _SWEEP_EVERY_S:
                self._swept_at = now
                sweep_staged(self._place.path, now)

    def _path(self, name: str) -> str:
        return os.path.join(self._place.path, key_file_name(name))


def _name(key: str) -> str:
    """A key without the slash at its beginning, which means nothing here."""
    return key.removeprefix("/")


def _slash(key: str) -> str:
    return "/" if key.startswith("/") else ""
