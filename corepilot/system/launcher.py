"""What becomes a job: a process that sets up what posix_spawn(3) cannot, and then executes the job's program.

It runs in a Python of its own, for about ten milliseconds, with nothing of corepilot but this module and the ones that
it imports; `corepilot.system.launching` starts it. The pid stays the job's. What fails is one line on a pipe that the
execution closes: nothing is written to the job's own output.

The order: files are opened and privileged settings made as corepilot's own user; then groups, group and user change;
then the directory is entered and the program looked for, as the user who is to run it.
"""

from __future__ import annotations

import errno
import os
import stat

from corepilot.system.identity import Identity, LaunchError, Setting, shown
from corepilot.system.programs import NOT_EXECUTABLE, NOT_FOUND, ProgramError, find_program
from corepilot.system.variables import VariablesError, parse_variables

TYPE_CHECKING = False  # what typing.TYPE_CHECKING is to a type checker, without importing typing
if TYPE_CHECKING:
    import signal
    from typing import Any, NoReturn
else:
    import _signal as signal  # the public module makes an enum of each number: a millisecond

FILE_MAX_BYTES = 1024 * 1024
"""The longest file of variables."""

REPORT_MAX_BYTES = 2000
"""The longest report: less than a pipe takes at once."""

_FIRST_SOCKET = 3
"""Where the sockets of `listen` begin: SD_LISTEN_FDS_START of sd_listen_fds(3)."""

_SET_BY_PYTHON = (signal.SIGINT, signal.SIGPIPE, signal.SIGXFSZ)


def main(report: int, request: dict[str, Any]) -> NoReturn:
    """Become the program.

    Args:
        report: Descriptor to write the report to.
        request: See `corepilot.jobs.settings.request_of`.
    """
    status, text = NOT_EXECUTABLE, ""
    try:
        report = _out_of_the_way(report, request)
        for number in _SET_BY_PYTHON:
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())  # one that came meanwhile was kept from Python's own handler
        launch(request)
    except LaunchError as error:
        status, text = error.status, str(error)
    except BaseException as error:  # noqa: BLE001  - whatever it is, it is told: here is nobody else to tell it
        text = f"{type(error).__name__}: {error}"
    os.write(report, f"{status} {text}".encode("utf-8", "backslashreplace")[:REPORT_MAX_BYTES])
    os._exit(status)


def launch(request: dict[str, Any]) -> NoReturn:
    """Set up the process and execute the program.

    Raises:
        LaunchError: It cannot be done. What was set up stays.
    """
    identity = Identity(request)
    environment = _environment(request, identity)
    _set_priorities(request)
    if request["cgroup"]:
        _enter(request["cgroup"])
    if request["tty"]:
        _take_terminal()
    if request["stdin"]:
        _read_from(request["stdin"])
    if request["own_output"]:
        identity.own_output()
    _place(request["descriptors"])
    if request["stdin_socket"]:
        os.dup2(_FIRST_SOCKET, 0)
    _set_limits(request["limits"])
    identity.take()
    if request["cwd"]:
        with Setting("cwd", request["cwd"]):
            os.chdir(request["cwd"])
    if request["umask"] is not None:
        os.umask(request["umask"])
    _execute(request["argv"], environment)


def _out_of_the_way(report: int, request: dict[str, Any]) -> int:
    """The report's descriptor, where no descriptor of the job's is to be; closed when the program is executed."""
    os.set_inheritable(report, False)  # noqa: FBT003  - its only parameter
    if request["descriptors"]:
        import fcntl

        report = fcntl.fcntl(report, fcntl.F_DUPFD_CLOEXEC, _above(request["descriptors"]))
    return report


def _above(descriptors: list[tuple[int, int]]) -> int:
    """A number above those that the job's descriptors have, and are to have: the limit may be low."""
    return max([number for pair in descriptors for number in pair]) + 1


def _place(descriptors: list[tuple[int, int]]) -> None:
    """Give the job its descriptors under their numbers."""
    if not descriptors:
        return
    import fcntl

    above = _above(descriptors)
    copies = [(fcntl.fcntl(place, fcntl.F_DUPFD_CLOEXEC, above), number) for place, number in descriptors]
    for place, _ in descriptors:
        os.close(place)
    for copy, number in copies:
        os.dup2(copy, number)


def _environment(request: dict[str, Any], identity: Identity) -> dict[str, str]:
    environment: dict[str, str] = request["environment"]
    layers: list[dict[str, str | None]] = [identity.home, dict(request["defaults"])]
    layers += [{**_variables(name.removeprefix("-"), optional=name.startswith("-"))} for name in request["files"]]
    layers += [dict(request["variables"]), request["own"]]
    if request["sockets"]:  # sd_listen_fds(3)
        names = ":".join([name.replace(":", "_") for name in request["sockets"]])
        count = len(request["sockets"])
        layers.append({"LISTEN_FDS": str(count), "LISTEN_PID": str(os.getpid()), "LISTEN_FDNAMES": names})
    for layer in layers:
        for name, value in layer.items():
            if value is None:
                environment.pop(name, None)
            else:
                environment[name] = value
    return environment


def _variables(file: str, *, optional: bool) -> dict[str, str]:
    with Setting("envFile", file):
        try:
            descriptor = os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except FileNotFoundError:
            if optional:
                return {}
            raise
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise LaunchError(f"envFile {shown(file)}: it is not a regular file")
        with open(descriptor, "rb") as opened:
            data = opened.read(FILE_MAX_BYTES + 1)
    if len(data) > FILE_MAX_BYTES:
        raise LaunchError(f"envFile {shown(file)}: it has more than {FILE_MAX_BYTES} bytes")
    try:
        return parse_variables(os.fsdecode(data))
    except VariablesError as error:
        raise LaunchError(f"envFile {shown(file)}, {error}") from None


def _set_priorities(request: dict[str, Any]) -> None:
    if request["oom_score_adj"] is not None:
        hint = "corepilot needs CAP_SYS_RESOURCE to make it less than its own"
        with (
            Setting("oomScoreAdj", request["oom_score_adj"], hint),
            open("/proc/self/oom_score_adj", "wb", 0) as file,
        ):
            file.write(b"%d" % request["oom_score_adj"])
    if request["nice"] is not None:
        with Setting("nice", request["nice"], "corepilot needs CAP_SYS_NICE to make it less than its own"):
            os.setpriority(os.PRIO_PROCESS, 0, request["nice"])


def _set_limits(limits: list[tuple[str, int, int]]) -> None:
    if not limits:
        return
    import resource

    for name, soft, hard in limits:
        number = getattr(resource, f"RLIMIT_{name.upper()}", None)
        if number is None:
            raise LaunchError(f"limits.{name}: this system has no such limit")
        with Setting(f"limits.{name}", soft if soft == hard else f"{soft}:{hard}"):
            try:
                resource.setrlimit(number, (soft, hard))
            except ValueError:  # how the standard library tells EPERM
                most = resource.getrlimit(number)[1]
                why = f"the hard limit is {most}, and corepilot needs CAP_SYS_RESOURCE to raise it"
                raise LaunchError(f"limits.{name} {shown(soft)}: {why}") from None


def _enter(group: str) -> None:
    with Setting("cgroup", "true"):
        if not os.path.isdir(group):
            os.mkdir(group)
        with open(f"{group}/cgroup.procs", "wb", 0) as file:
            file.write(b"0")


def _take_terminal() -> None:
    """Have the terminal for the session, so that /dev/tty is it."""
    import fcntl
    import termios

    with Setting("tty", "true"):
        fcntl.ioctl(1, termios.TIOCSCTTY, 0)


def _read_from(file: str) -> None:
    with Setting("stdin", file):
        descriptor = os.open(file, os.O_RDONLY | os.O_NOCTTY | os.O_CLOEXEC)
    os.dup2(descriptor, 0)
    os.close(descriptor)


def _execute(argv: list[str], environment: dict[str, str]) -> NoReturn:
    try:
        program = find_program(argv[0], environment.get("PATH"))
        os.execve(program, argv, environment)  # noqa: S606  - this is what it is for
    except ProgramError as error:
        raise LaunchError(str(error), error.status) from None
    except OSError as error:
        missing = error.errno == errno.ENOENT  # the program is there: it was looked for
        reason = f"{error.strerror}" + (f" ({argv[0]} or its interpreter)" if missing else "")
        raise LaunchError(reason, NOT_FOUND if missing else NOT_EXECUTABLE) from None
    except ValueError as error:  # a NUL byte in an argument or in the environment
        raise LaunchError(str(error)) from None
