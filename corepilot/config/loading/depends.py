"""What a configuration depends on, noted while it is judged, and kept with it: see `corepilot.config.loading.cache`.

What cannot be asked again quickly, and what holds a secret, is not kept; the reason is told to whoever asked for it.
"""

import marshal
import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

from corepilot.config.diagnostics.excerpts import is_secret_name
from corepilot.config.loading import cache
from corepilot.config.loading.exchange import LoadRequest
from corepilot.config.rules.host import Host
from corepilot.model.command import OutputFile, ProcessSettings
from corepilot.model.configuration import Configuration, Render
from corepilot.model.plugin import PluginReference, Secret
from corepilot.model.value import encode
from corepilot.plugin.hookspec import KINDS
from corepilot.sources.paths import absolute_path
from corepilot.sources.values import SourceText

_SHIPPED = frozenset(("corepilot", *(one for kind in KINDS.values() for one in kind.shipped.values())))
_PUBLIC, _PRIVATE = 0o644, 0o600

Question = tuple[str, tuple[Any, ...], Any]
"""What was asked, about what, and the answer: values that marshal carries."""


class Asked(Mapping[str, str]):
    """An environment that notes what it is asked.

    Attributes:
        names: The variables that were looked for.
        every: Whether all of them were looked at.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self.names: set[str] = set()
        self.every = False

    def __getitem__(self, name: str) -> str:
        self.names.add(name)
        return self._environment[name]

    def __iter__(self) -> Iterator[str]:
        self.every = True
        return iter(self._environment)

    def __len__(self) -> int:
        self.every = True
        return len(self._environment)


class AskedHost(Host):
    """A machine that notes what it is asked.

    Attributes:
        asked: The answers, by question and what it was about.
        unkept: Something that was asked and cannot be asked again quickly; "" if there is nothing.
    """

    def __init__(self, environment: Asked, *rest: Any, **named: Any) -> None:
        self.asked: dict[tuple[str, tuple[Any, ...]], Any] = {}
        self.unkept = ""
        super().__init__(environment, *rest, **named)
        self.variables = environment

    @property
    def instance(self) -> str:
        """As asked of the machine, and noted, like all that follows."""
        self.asked["hostname", ()] = self.hostname
        return super().instance

    def address(self, specs: Sequence[str]) -> str:
        """See `instance`."""
        found = super().address(specs)
        if not specs[0].startswith("static:"):  # nothing was asked then
            self.asked["address", (tuple(specs),)] = found
        return found

    def has_network(self) -> bool:
        """See `instance`."""
        found = self.asked["has_network", ()] = super().has_network()
        return found

    def program_fault(self, program: str, path: str | None = None) -> str:
        """See `instance`."""
        found = self.asked["program_fault", (program, path)] = super().program_fault(program, path)
        return found

    def file_fault(self, path: str, kind: str) -> str:
        """See `instance`."""
        found = self.asked["file_fault", (path, kind)] = super().file_fault(path, kind)
        return found

    def log_fault(self, path: str) -> str:
        """See `instance`."""
        found = self.asked["log_fault", (path,)] = super().log_fault(path)
        return found

    def text_of(self, path: str, most: int, errors: str = "strict") -> tuple[str, str]:
        """See `instance`; but texts are not compared."""
        self.unkept = f"it depends on what is in {path}"
        return super().text_of(path, most, errors)


def keep(request: LoadRequest, texts: Sequence[SourceText], host: AskedHost, config: Configuration) -> str:
    """Keep a configuration for the next start; returns why it is not kept, or "".

    Args:
        request: What was loaded; its `cache` is the directory.
        texts: The documents.
        host: What was asked.
        config: What came of it.
    """
    reason = _unkept(request, texts, host, config)
    if reason:
        return reason
    try:
        questions = _questions(request, texts, host)
        body = marshal.dumps((questions, encode(config)))
        if len(body) > cache.ENTRY_MAX_BYTES // 2:
            return "it is too large"
        private = host.variables.every or any(name in request.environment for name in host.variables.names - {"PATH"})
        _write(request, body, _PRIVATE if private else _mode(texts))
    except (OSError, ValueError) as error:
        return f"it cannot be written to {request.cache}: {getattr(error, 'strerror', None) or error}"
    return ""


def _unkept(request: LoadRequest, texts: Sequence[SourceText], host: AskedHost, config: Configuration) -> str:
    if [text.path for text in texts] != [absolute_path(one) for one in request.locations]:
        return "it is not in regular files that are named one by one"
    if host.secrets or any(is_secret_name(name) and request.environment.get(name) for name in host.variables.names):
        return "it holds a secret"
    return host.unkept or _foreign(config)


def _foreign(value: Any) -> str:
    """Why a value cannot be kept; "" if it can."""
    if isinstance(value, Secret) and value.value:
        return "it holds a secret"
    if isinstance(value, PluginReference) and value.distribution not in _SHIPPED:
        return f"{value.distribution} does not come with corepilot, and may depend on anything"
    if isinstance(value, ProcessSettings) and not value.only_variables:
        return "a job has settings of its process that depend on the machine"
    if isinstance(value, OutputFile):
        return "a job has a file of its own for its output"
    if isinstance(value, Render):
        return "it renders files"
    if isinstance(value, tuple):
        return next((found for one in value if isinstance(one, tuple) and (found := _foreign(one))), "")
    return ""


def _questions(request: LoadRequest, texts: Sequence[SourceText], host: AskedHost) -> list[Question]:
    """What was asked, and the answers; of the documents as they were read."""
    environment = request.environment
    found: list[Question] = [
        ("file", (one,), cache.text_answer(text)) for one, text in zip(request.locations, texts, strict=True)
    ]
    if host.variables.every:
        found.append(("variables", (), cache.variables_answer(environment)))
    else:
        names = sorted(host.variables.names)
        found += [("variable", (name,), cache.variable_answer(environment.get(name))) for name in names]
    found += [(question, about, answer) for (question, about), answer in host.asked.items()]
    if host.found:
        files = tuple(sorted({one.file for one in host.found.values()}))
        found.append(("plugins", files, cache.plugins_answer(files)))
    return found


def _mode(texts: Sequence[SourceText]) -> int:
    """The mode of an entry that holds nothing but what is in files: readable for those who can read all of them."""
    open_to_all = all(os.stat(text.path or "").st_mode & stat.S_IROTH for text in texts)
    return _PUBLIC if open_to_all else _PRIVATE


def _write(request: LoadRequest, body: bytes, mode: int) -> None:
    directory = cache.opened(request.cache)
    if directory < 0:
        raise ValueError("it is no directory that only this user and root can change")
    name = cache.name_of(request)
    new = f"new.{os.getpid()}"
    try:
        _remove_oldest(directory, name)
        with suppress(FileNotFoundError):
            os.unlink(new, dir_fd=directory)  # of a loader that was killed while it wrote
        fd = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, _PRIVATE, dir_fd=directory)
        try:
            with os.fdopen(fd, "wb") as file:
                file.write(cache.header(body) + body)
                os.fchmod(fd, mode)
            os.rename(new, name, src_dir_fd=directory, dst_dir_fd=directory)
        except BaseException:
            os.unlink(new, dir_fd=directory)
            raise
    finally:
        os.close(directory)


def _remove_oldest(directory: int, name: str) -> None:
    """Make room for one more entry, and take away what killed loaders have left."""
    ours = [one for one in os.listdir(directory) if one.endswith(cache.SUFFIX) or one.startswith("new.")]
    others = [(os.stat(one, dir_fd=directory, follow_symlinks=False).st_mtime, one) for one in ours if one != name]
    for _, one in sorted(others, reverse=True)[cache.ENTRIES_MAX - 1 :]:
        os.unlink(one, dir_fd=directory)
