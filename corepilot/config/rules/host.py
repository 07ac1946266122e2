"""The machine as a configuration depends on it: addresses, programs, files, names. Looked at only when needed."""

import os
import stat
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from corepilot.config.text.addresses import InterfaceAddress, choose, interface_addresses, parse_spec
from corepilot.system.programs import ProgramError, find_program


class Host:
    """What a configuration may depend on.

    Args:
        environment: The jobs' environment.
        hostname: The host's name.
        importing: Told of each plugin before something of it is imported, and "" afterwards: what it does to this
            process is then known to be its doing.

    Attributes:
        secrets: What options have referred to: no message may show it.
        found: The plugins that have been looked for while this configuration is judged, by kind and name.
        light: Their light modules, by the same.
    """

    def __init__(
        self, environment: Mapping[str, str], hostname: str, importing: Callable[[str], None] = lambda _plugin: None
    ) -> None:
        self.environment = environment
        self.hostname = hostname
        self.importing = importing
        self.secrets: list[str] = []
        self.found: dict[tuple[str, str], Any] = {}
        self.light: dict[tuple[str, str], Any] = {}
        self._addresses: list[InterfaceAddress] | None = None
        self._chosen: dict[tuple[str, ...], str] = {}
        self._program_faults: dict[tuple[str, str | None], str] = {}

    @property
    def instance(self) -> str:
        """What tells this instance of a service from others, unless a job says otherwise."""
        return self.environment.get("COREPILOT_INSTANCE") or self.hostname

    def address(self, specs: Sequence[str]) -> str:
        """The address that interface specifications mean here.

        Raises:
            AddressError: none of them matches, or the machine's addresses cannot be read.
        """
        key = tuple(specs)
        if key not in self._chosen:
            parsed = [parse_spec(spec) for spec in specs]
            if parsed and parsed[0].kind == "static":  # nothing has to be asked, and nothing loaded that asks
                return parsed[0].ip
            self._chosen[key] = choose(parsed, self._all_addresses())
        return self._chosen[key]

    def has_network(self) -> bool:
        """Whether this machine has an address beside those of loopback.

        Raises:
            AddressError: its addresses cannot be read.
        """
        return not all(one.is_loopback for one in self._all_addresses())

    def _all_addresses(self) -> list[InterfaceAddress]:
        if self._addresses is None:
            self._addresses = list(interface_addresses())
        return self._addresses

    def program_fault(self, program: str, path: str | None = None) -> str:
        """Why a program cannot be executed, or "". `path`: the job's own PATH, if it has one."""
        key = (program, path)
        fault = self._program_faults.get(key)
        if fault is None:
            try:
                find_program(program, self.environment.get("PATH") if path is None else path)
                fault = ""
            except ProgramError as error:
                fault = str(error)
            self._program_faults[key] = fault
        return fault

    def file_fault(self, path: str, kind: str) -> str:
        """Why a "file" or "directory" cannot be read, or ""."""
        try:
            if kind == "directory":
                os.close(os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC))
            elif stat.S_ISFIFO(os.stat(path).st_mode):
                # Not opened: who waits for a reader would take this for it.
                return "" if os.access(path, os.R_OK) else "Permission denied"
            else:
                os.close(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC))
                if os.path.isdir(path):
                    return "it is a directory"
        except (OSError, ValueError) as error:
            return getattr(error, "strerror", None) or "it is no path"
        return ""

    def text_of(self, path: str, most: int, errors: str = "strict") -> tuple[str, str]:
        """The text of a file of at most so many bytes, and "", or else why it cannot be read.

        Args:
            path: The file's.
            most: How many bytes.
            errors: What becomes of bytes that are not UTF-8, as in `bytes.decode`.
        """
        fault = self.file_fault(path, "file")
        if fault:
            return "", fault
        try:
            if not stat.S_ISREG(os.stat(path).st_mode):
                return "", "it is not a regular file"
            descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            with os.fdopen(descriptor, "rb") as file:
                data = file.read(most + 1)
            return ("", f"it has more than {most} bytes") if len(data) > most else (data.decode(errors=errors), "")
        except UnicodeDecodeError as error:
            return "", f"it is not UTF-8 at byte {error.start}"
        except OSError as error:
            return "", error.strerror or type(error).__name__

    def log_fault(self, path: str) -> str:
        """Why a file cannot be appended to, or ""."""
        try:
            if os.path.isdir(path):
                return "it is a directory"
            if os.path.exists(path):
                return "" if os.access(path, os.W_OK) else "it cannot be written"
            parent = os.path.dirname(path) or "."
            if not os.path.isdir(parent):
                return f"there is no directory {parent}"
            return "" if os.access(parent, os.W_OK | os.X_OK) else f"nothing can be written in {parent}"
        except ValueError:
            return "it is no path"
