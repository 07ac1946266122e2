"""Validated configurations that are kept for the next start, and the judgement whether one still holds.

An entry is what a load made, with everything that it has asked: texts of files, variables, the machine, plugins. A
start asks the same again, and takes the configuration if all answers are the same; otherwise it is loaded. So an entry
can be old, of another machine, or broken, and never wrong.

Entries are believed only where no other user can have put them: files of ours or root's, in such a directory, that
nobody else can write. They are plain values for `marshal`, which is read after the digest of its bytes was right.

On the boot path: `corepilot.config.loading.depends`, which makes entries, is the loader's.
"""

from __future__ import annotations

import marshal
import os
import stat
import sys
from _blake2 import blake2b

from corepilot import _version
from corepilot.errors import CorepilotError
from corepilot.model.value import decode
from corepilot.system.programs import ProgramError, find_program

TYPE_CHECKING = False  # what typing.TYPE_CHECKING is to a type checker, without importing typing
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    from corepilot.config.loading.exchange import LoadRequest
    from corepilot.model.configuration import Configuration
    from corepilot.sources.values import SourceText

DIRECTORY = "/var/cache/corepilot"
"""Where entries are, unless $COREPILOT_CACHE names another directory; empty, it says that there are none."""

VARIABLE = "COREPILOT_CACHE"
ENTRY_MAX_BYTES = 8 * 1024 * 1024
"""A longer entry is neither written nor read."""

ENTRIES_MAX = 16
"""More are not kept: the oldest goes."""

SUFFIX = ".configuration"
_DIGEST_BYTES = 32
_READING_S = 1.0
_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH
_CODE = ("config", "gotemplate", "model", "plugin", "sources", "system")
_OF_THE_HOST = frozenset(("address", "file_fault", "has_network", "hostname", "log_fault"))


def directory_of(environment: Mapping[str, str]) -> str:
    """The directory that entries are in; "" for none. Whether it is there is another question."""
    named = environment.get(VARIABLE, DIRECTORY)
    return named if named.startswith("/") else ""


def find(directory: str, request: LoadRequest) -> Configuration | None:
    """The configuration that loading would make, if it is kept; None if that is not certain. Raises nothing.

    Args:
        directory: Where entries are.
        request: What would be loaded. Its files are read, and must be regular ones.
    """
    from corepilot.model import configuration as configuration  # noqa: PLC0414  - what is decoded

    fd = opened(directory)
    if fd < 0:
        return None
    try:
        data = _read(fd, name_of(request))
        body = data[_header_bytes() :]
        if not data.startswith(header(body)):
            return None
        questions, plain = marshal.loads(body)  # noqa: S302  - its digest is right, and nobody else can write it
        if all(_answer(kind, about, request) == answer for kind, about, answer in questions):
            found: Configuration = decode(plain)
            return found
    except (OSError, EOFError, ValueError, TypeError, LookupError, CorepilotError):
        pass  # there is none, or it is none
    finally:
        os.close(fd)
    return None


def opened(directory: str) -> int:
    """A descriptor of a directory that only we and root can write; -1 if it is none."""
    try:
        fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return -1
    try:
        if all(_is_safe(os.stat(one)) for one in _above(directory)) and _is_safe(os.fstat(fd), sticky=False):
            return fd
    except OSError:
        pass  # it is gone
    os.close(fd)
    return -1


def _above(directory: str) -> Iterator[str]:
    """The directories above one: whoever can rename one of them can exchange everything below."""
    path = os.path.realpath(directory)
    while path != "/":
        path = os.path.dirname(path)
        yield path


def _is_safe(found: os.stat_result, *, sticky: bool = True) -> bool:
    """Whether only we and root can change something there; in a sticky directory, what is ours."""
    closed = not found.st_mode & _OTHERS_WRITE or (sticky and bool(found.st_mode & stat.S_ISVTX))
    return closed and found.st_uid in {0, os.geteuid()}


def name_of(request: LoadRequest) -> str:
    """The name of the entry of a configuration: one for its locations, whatever is in them."""
    where = [os.path.abspath(one) for one in request.locations]
    asked = (where, request.locations, request.discovery, request.paths_only, os.geteuid())
    return blake2b(repr(asked).encode("utf-8", "surrogateescape"), digest_size=16).hexdigest() + SUFFIX


def header(body: bytes) -> bytes:
    """What an entry begins with: the digest of what has made it, and of its body."""
    return _code() + blake2b(body, digest_size=_DIGEST_BYTES).digest()


def _header_bytes() -> int:
    return 2 * _DIGEST_BYTES


def _code() -> bytes:
    """The digest of this Python and of the code that judges: a checkout changes without its version."""
    digest = blake2b(digest_size=_DIGEST_BYTES)
    digest.update(f"{_version.__version__} {sys.version} {sys.byteorder} {marshal.version}".encode())
    ours = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    for room in _CODE:
        for path, size, changed in sorted(_files(os.path.join(ours, room))):
            digest.update(f"{path[len(ours) :]} {size} {changed}\n".encode("utf-8", "surrogateescape"))
    return digest.digest()


def _files(directory: str) -> Iterator[tuple[str, int, int]]:
    """Path, size and second of the last change of all code in a directory."""
    try:
        with os.scandir(directory) as entries:
            for entry in entries:
                if entry.name.endswith((".py", ".pyc")):
                    found = entry.stat()
                    yield entry.path, found.st_size, int(found.st_mtime)
                elif "." not in entry.name and entry.name != "__pycache__" and entry.is_dir():
                    yield from _files(entry.path)
    except FileNotFoundError:
        return  # a room that this corepilot does not have


def _read(directory: int, name: str) -> bytes:
    """The bytes of an entry.

    Raises:
        OSError, ValueError: there is none, or somebody else can have written it.
    """
    fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=directory)
    try:
        found = os.fstat(fd)
        alone = stat.S_ISREG(found.st_mode) and found.st_nlink == 1
        if not alone or not _is_safe(found, sticky=False) or found.st_size > ENTRY_MAX_BYTES:
            raise ValueError("it cannot be believed")
        return os.read(fd, found.st_size)
    finally:
        os.close(fd)


def _answer(kind: str, about: tuple[Any, ...], request: LoadRequest) -> Any:
    """What the answer to a question is now."""
    if kind == "file":
        return file_answer(*about)
    if kind == "variable":
        return variable_answer(request.environment.get(about[0]))
    if kind == "variables":
        return variables_answer(request.environment)
    if kind == "plugins":
        return plugins_answer(about)
    if kind == "program_fault":
        return program_answer(about[0], about[1], request.environment)
    if kind not in _OF_THE_HOST:
        raise ValueError(kind)
    from corepilot.config.rules.host import Host

    found = getattr(Host(request.environment, request.hostname), kind)
    return found(*about) if callable(found) else found


def file_answer(path: str) -> bytes | None:
    """The digest of what reading a configuration file gives; None if it is no regular file."""
    from corepilot.sources.file import read
    from corepilot.sources.paths import path_of

    if not stat.S_ISREG(os.stat(path_of(path)).st_mode):
        return None
    return text_answer(read(path, _READING_S))


def text_answer(text: SourceText) -> bytes:
    """The digest of what was read."""
    said = repr((text.name, text.path, text.warnings, text.version, text.text))
    return blake2b(said.encode("utf-8", "surrogatepass"), digest_size=_DIGEST_BYTES).digest()


def program_answer(program: str, path: str | None, environment: Mapping[str, str]) -> str:
    """Why a program cannot be executed, or "", as `corepilot.config.rules.host.Host` says it."""
    try:
        find_program(program, environment.get("PATH") if path is None else path)
    except ProgramError as error:
        return str(error)
    return ""


def variable_answer(value: str | None) -> bytes | None:
    """The digest of a variable; None if it is not set."""
    data = None if value is None else value.encode("utf-8", "surrogateescape")
    return data if data is None else blake2b(data, digest_size=_DIGEST_BYTES).digest()


def variables_answer(environment: Mapping[str, str]) -> bytes | None:
    """The digest of all variables."""
    return variable_answer(repr(sorted(environment.items())))


def plugins_answer(modules: tuple[str, ...]) -> tuple[Any, ...]:
    """What shows that other plugins are installed, or others of the same name: directories, and the light modules."""
    from corepilot.system.search_path import complete

    complete()
    found: list[tuple[str, int, int]] = []
    for path in (*sys.path, *modules):
        try:
            one = os.stat(path)
        except OSError:
            found.append((path, -1, -1))
        else:
            found.append((path, 0 if stat.S_ISDIR(one.st_mode) else one.st_size, int(one.st_mtime)))
    return tuple(found)
