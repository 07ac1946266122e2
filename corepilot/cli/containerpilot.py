"""`containerpilot`: the command line of ContainerPilot 3, for images that use it (contract, sections 1.1 to 1.4).

What differs is what the contract marks with FIX. The clients find the control socket in files that do not validate in
this shell, or are told it with `-socket`; a request that fails ends with status 1; and the exit status of a supervisor
is true as PID 1 too. Unlike `corepilot`, it looks for a configuration only where ContainerPilot does, and says what is
wrong on standard output, as lines of the default log format, for that is where images look for it.
"""

import os
import sys
import time

from corepilot.cli.goflags import Flag, FlagError, Values, parse, usage
from corepilot.cli.main import open_standard

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from corepilot.config.diagnostics.problems import Problem
    from corepilot.control.client import ControlClient
    from corepilot.supervisor.arguments import RunArguments

USAGE = 2
"""Exit status for flags that cannot be understood, and for -help: that of Go's `flag` when ContainerPilot was built."""

FLAGS = {
    "version": Flag("switch", "Print version and hash, and quit."),
    "config": Flag("text", "File with the configuration. Else $CONTAINERPILOT names it.", "path"),
    "template": Flag("switch", "Print the configuration after its template was carried out, and quit."),
    "out": Flag("text", "With -template: write to this file. Empty or '-': standard output.", "path"),
    "reload": Flag("switch", "Have a running process load its configuration again."),
    "maintenance": Flag("text", "Have a running process leave the catalog; with another word, come back.", "enable"),
    "putenv": Flag("pairs", "Set a variable for what a running process starts from now on. Repeatable.", "key=value"),
    "putmetric": Flag("pairs", "Record the value of a metric in a running process. Repeatable.", "key=value"),
    "ping": Flag("switch", "Print ok if a running process answers."),
    "socket": Flag("text", "Control socket of the running process. Else the configuration names it.", "path"),
}

REQUEST_S = 5.0
RELOAD_S = 45.0
"""Seconds a request may take; a reload is answered once the new configuration was judged."""

RENDER_S = 10.0


def main(words: "Sequence[str] | None" = None) -> int:
    """Carry out a command line; returns the exit status."""
    words = sys.argv[1:] if words is None else words
    open_standard()
    try:
        values = parse(FLAGS, words)
    except FlagError as error:
        from corepilot.wording.escaping import escaped

        sys.stderr.write(f"{escaped(str(error))}\n{usage('containerpilot', FLAGS)}".lstrip("\n"))
        return USAGE
    if values.switches["version"]:
        from corepilot._version import __version__

        # The second line is part of the form; an installed package does not know which commit it was built from.
        sys.stdout.write(f"Version: {__version__}\nGitHash: unknown\n")
        return 0
    if is_run(values):
        from corepilot import guard

        guard.install_early_handlers()  # PID 1 loses a TERM that comes before: nothing else is imported until here
    return _carry_out(values)


def is_run(values: Values) -> bool:
    """Whether the flags ask to supervise jobs: none asks for anything else."""
    switches = values.switches
    others = (values.texts["maintenance"], values.pairs["putenv"], values.pairs["putmetric"])
    return not any((switches["template"], switches["reload"], switches["ping"], *others))


def _carry_out(values: Values) -> int:
    from corepilot.cli.main import own_environment, supervise
    from corepilot.errors import CorepilotError

    given = own_environment()
    location = values.texts["config"] or given.get("CONTAINERPILOT", "")
    try:
        if is_run(values):
            _required(location)

            discovery = given.get("COREPILOT_DISCOVERY") or None

            def prepare() -> "RunArguments":
                from corepilot.supervisor.arguments import RunArguments

                return RunArguments((location,), discovery, given, _refuse, paths_only=True)

            return supervise(prepare, "containerpilot")
        if values.switches["template"]:
            return _render(_required(location), values.texts["out"], given)
        return _ask(values, location, given)
    except CorepilotError as error:
        _say(str(error).replace("with -c FILE", "with -config FILE"))  # advice for the other command's users
        return 1
    except OSError as error:
        _say(f"cannot write {error.filename or 'to standard output'}: {error.strerror}")
        return 1


def _required(location: str) -> str:
    if not location:
        from corepilot.errors import ConfigError

        raise ConfigError("cannot find a configuration: -config flag is required where $CONTAINERPILOT is not set")
    return location


def _render(location: str, out: str, given: "Mapping[str, str]") -> int:
    from corepilot.config.loading import loader

    request = loader.LoadRequest((location,), dict(given), judge_machine=False, render_only=True, paths_only=True)
    result = loader.collect(loader.start(request), RENDER_S)
    if result.rendered is None:
        _refuse(result.problems)
        return 1
    data = result.rendered.encode("utf-8", "surrogateescape")  # bytes of the environment come out as they were
    if out in {"", "-"}:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
        return 0
    with os.fdopen(os.open(out, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644), "wb") as file:
        file.write(data)
    return 0


def _ask(values: Values, location: str, given: "Mapping[str, str]") -> int:
    """Send the one request that comes first (contract, section 1.1)."""
    client = _client(values, location, given)
    maintenance = values.texts["maintenance"]
    if values.switches["reload"]:
        _request(client, "POST", "/v3/reload", deadline_s=RELOAD_S)
    elif maintenance:
        verb = "enable" if maintenance == "enable" else "disable"
        _request(client, "POST", f"/v3/maintenance/{verb}")
    elif values.pairs["putenv"]:
        _request(client, "POST", "/v3/environ", values.pairs["putenv"])
    elif values.pairs["putmetric"]:
        _request(client, "POST", "/v3/metric", values.pairs["putmetric"])
    else:
        _request(client, "GET", "/v3/ping")
        sys.stdout.write("ok\n")
        sys.stdout.flush()
    return 0


def _client(values: Values, location: str, given: "Mapping[str, str]") -> "ControlClient":
    from corepilot.control.client import ControlClient, find

    if values.texts["socket"]:
        return ControlClient(values.texts["socket"])
    if not location:
        return find(None, given)
    from corepilot.config.loading.peek import identify

    identity = identify((location,), given, paths_only=True)
    if identity.socket == "":
        from corepilot.cli.clients import NO_SOCKET
        from corepilot.errors import ControlError
        from corepilot.wording.escaping import escaped

        raise ControlError(f"cannot reach corepilot: {NO_SOCKET.format(escaped(identity.name))}")
    # A socket that the file names is enough: ContainerPilot's clients may have a file of their own that has it.
    required = bool(values.texts["config"]) and identity.socket is None
    return find(identity.socket, given, config=identity.name, required=required)


def _request(
    client: "ControlClient", method: str, path: str, body: object = None, deadline_s: float = REQUEST_S
) -> None:
    import json

    from corepilot.errors import ControlError

    data = None if body is None else json.dumps(body).encode()
    status, answer = client.request(method, path, data, deadline_s=deadline_s)
    if status >= 400:
        why = answer.decode("utf-8", "replace").strip()
        raise ControlError(f"cannot do this: {method} {path} was answered with {status}: {why}")


def _refuse(problems: "Sequence[Problem]") -> None:
    """Say what is wrong with a configuration: errors only, for the warnings of a bad file are of no use."""
    for problem in problems:
        if problem.is_error:
            _say(problem.sentence())


def _say(message: str) -> None:
    from corepilot.output.stamps import nano_stamp
    from corepilot.wording.escaping import escaped

    line = f"{nano_stamp(time.time_ns())} {escaped(message)}\n".encode("utf-8", "backslashreplace")
    try:  # noqa: SIM105  - contextlib is not worth its import here
        os.write(1, line)
    except OSError:
        pass  # nobody reads: the exit status still tells


if __name__ == "__main__":
    sys.exit(main())
