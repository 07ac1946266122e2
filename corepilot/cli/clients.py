"""What the commands that talk to a running corepilot share. Imports little: `corepilot ping` runs every few seconds."""

from __future__ import annotations

import sys

from corepilot.control.client import ControlClient, find
from corepilot.errors import ControlError
from corepilot.wording.escaping import escaped

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

REFUSED = 1
"""Exit status: it was refused or failed, and nothing was changed."""

INCOMPLETE = 3
"""Exit status: it was done, but not everything came up; of `plan`: there is something to do."""

LATE = 4
"""Exit status: it was not done within --timeout, and goes on."""

NO_SOCKET = "{} has control: false, so what runs it has no control socket; signals and telemetry are left"
"""What a client says about a configuration that wants no socket."""

_FIRST_ERROR = 400
_UNRESERVED = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"


def client_of(arguments: Any) -> ControlClient:
    """A client of the running corepilot: with `-c`, of the one that runs this configuration, and of no other."""
    if arguments.socket:
        return ControlClient(arguments.socket)
    from corepilot.cli.files import locate
    from corepilot.config.loading.peek import identify
    from corepilot.errors import ConfigError

    try:
        where = locate(arguments.config, arguments.environment, pid_1=False)
        identity = identify(where.locations, arguments.environment, paths_only=where.paths_only)
    except ConfigError:
        if arguments.config:
            raise  # the default places are another corepilot's
        return find(None, arguments.environment)
    if identity.socket == "" and arguments.config:
        raise ControlError(f"cannot reach corepilot: {NO_SOCKET.format(escaped(identity.name))}")
    try:
        return find(identity.socket, arguments.environment, config=identity.name, required=bool(arguments.config))
    except ControlError as error:
        from corepilot.config.loading.peek import unread

        if identity.socket == "":
            raise ControlError(f"{error}; {NO_SOCKET.format(escaped(identity.name))}") from error
        elsewhere = [] if where.paths_only else unread(where.locations)
        if not elsewhere or identity.socket:
            raise
        raise ControlError(
            f"{str(error).rpartition('; ')[0]}; clients do not read {', '.join(elsewhere)}: if it sets control.socket, "
            "name that socket with --socket PATH"
        ) from error


def ask(client: ControlClient, method: str, path: str, body: object = None, deadline_s: float = 5.0) -> Any:
    """The answer to one request, decoded.

    Raises:
        ControlError: There is none, or it is an error: then in the server's words.
    """
    data = None
    if body is not None:
        import json

        data = json.dumps(body).encode()
    code, answer = client.request(method, path, data, deadline_s=deadline_s)
    return decoded(code, answer)


def decoded(code: int, answer: bytes) -> Any:
    """What an answer holds.

    Raises:
        ControlError: It is an error.
    """
    import json  # not for `ping` and `health`, which run every few seconds

    text = answer.decode("utf-8", "replace")
    try:
        found = json.loads(text) if text.strip() else None
    except ValueError:
        found = text
    if code >= _FIRST_ERROR:
        raise ControlError(str(found.get("error", text)).strip() if isinstance(found, dict) else text.strip())
    return found


def quoted(name: str) -> str:
    """A name as a part of a path or of a query: percent-encoded UTF-8 (RFC 3986, 2.1)."""
    data = name.encode("utf-8", "surrogateescape")
    return "".join([chr(byte) if chr(byte) in _UNRESERVED else f"%{byte:02X}" for byte in data])


def say(line: str) -> None:
    """Write one line; what others named, such as a service or a job, stays in it."""
    sys.stdout.write(escaped(line) + "\n")


def say_json(value: object) -> None:
    """Write one document, for programs and for people."""
    import json

    sys.stdout.write(json.dumps(value, indent=2) + "\n")


def complain(text: str) -> None:
    """Write a message to standard error, each line of it as a line."""
    for line in text.splitlines():
        sys.stderr.write(f"corepilot: {escaped(line)}\n")
