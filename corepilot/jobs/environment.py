"""The environment of children (ContainerPilot contract, section 4.12): what we were given, and what we add."""

from collections.abc import Mapping

from corepilot.model.command import Variables
from corepilot.model.event import Event
from corepilot.system.signal_names import Signalled, signal_name

EVENT = "COREPILOT_EVENT"
"""Begins the names of the variables that tell of the event that has started a run."""


_OF_OURS = frozenset(("LISTEN_FDNAMES", "LISTEN_FDS", "LISTEN_PID", "NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC"))
"""Variables of a supervisor of corepilot that are meant for corepilot's own process: they name its pid and its
descriptors, and a message of a job would be taken for one of corepilot's."""


class ChildEnvironment:
    """What every command is started with. One for the supervisor's life; reloads change its parts.

    Args:
        given: The environment corepilot was started with, complete.
        pid: The supervisor's pid, for CONTAINERPILOT_PID.
    """

    def __init__(self, given: Mapping[str, str], pid: int) -> None:
        # An outer corepilot's event is not what starts our jobs.
        given = {name: value for name, value in given.items() if not name.startswith(EVENT)}
        self._withheld = {name: value for name, value in given.items() if name in _OF_OURS}
        self._given = {name: value for name, value in given.items() if name not in _OF_OURS}
        self._given["CONTAINERPILOT_PID"] = str(pid)
        self._addresses: dict[str, str] = {}
        self._put: dict[str, str] = {}
        self._pids: dict[str, str] = {}
        self._made: dict[str, str] | None = None

    def current(self) -> dict[str, str]:
        """The environment of a command that starts now. Do not change it."""
        if self._made is None:
            self._made = {**self._given, **self._addresses, **self._pids, **self._put}
        return self._made

    def in_templates(self) -> dict[str, str]:
        """What a configuration finds in its templates: also what no command inherits, so that it can be passed on."""
        return {**self._withheld, **self.current()}

    def put(self, values: Mapping[str, str]) -> None:
        """Set variables by control request; they survive reloads."""
        self._put.update(values)
        self._made = None

    def advertise(self, addresses: Mapping[str, str]) -> None:
        """Set `CONTAINERPILOT_<JOB>_IP` for these jobs and addresses, instead of those of the configuration before."""
        self._addresses = {f"CONTAINERPILOT_{_upper(name)}_IP": address for name, address in addresses.items()}
        self._made = None

    def running(self, command: str, pid: int | None) -> None:
        """Set `CONTAINERPILOT_<COMMAND>_PID`, or with None unset it: the command has ended."""
        name = f"CONTAINERPILOT_{command_name(command)}_PID"
        if pid is None:
            self._pids.pop(name, None)
        else:
            self._pids[name] = str(pid)
        self._made = None


def with_changes(environment: Mapping[str, str], changes: Variables, own: Mapping[str, str]) -> dict[str, str]:
    """The environment of one run.

    Args:
        environment: What every command is started with.
        changes: The command's own.
        own: Of this run: nothing replaces them.
    """
    if not changes:
        return {**environment, **own}
    changed = {**environment, **dict(changes)}
    return {**{name: value for name, value in changed.items() if value is not None}, **own}


def variables_of(event: Event | None, passing: int | None = None) -> dict[str, str]:
    """What a run finds of the event that has started it; nothing, where it was none.

    Args:
        event: The event.
        passing: How many passing instances, or keys, there are, if it comes from a watch.
    """
    if event is None:
        return {}
    code, source = event.key
    found = {EVENT: code, f"{EVENT}_SOURCE": source}
    if event.status is not None:
        found[f"{EVENT}_STATUS"] = str(event.status)
        if isinstance(event.status, Signalled):
            found[f"{EVENT}_SIGNAL"] = f"SIG{signal_name(event.status - 128)}"
    if passing is not None:
        found[f"{EVENT}_PASSING"] = str(passing)
    return found


def _upper(name: str) -> str:
    return name.upper().replace("-", "_")


def command_name(command: str) -> str:
    """A command's part of a variable's name: base name, from the last dot cut off, other characters as one "_"."""
    base = command.rpartition("/")[2]
    name = base.rpartition(".")[0] or base
    plain = "".join([one if one.isascii() and one.isalnum() else "_" for one in name])
    while "__" in plain:
        plain = plain.replace("__", "_")
    return plain.upper()
