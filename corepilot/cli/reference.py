"""Makes docs/reference/commands.md from the table of commands: `python -m corepilot.cli.reference`."""

import sys

from corepilot.cli.arguments import Command
from corepilot.cli.table import COMMANDS

HEAD = """# Commands

Made from `corepilot/cli/table.py` by `python -m corepilot.cli.reference`; a test holds the two together.

`corepilot` without a command is `corepilot run`. LOCATION is a file, a directory, `env:NAME`, an `http(s)://` URL, or
what an installed plugin reads; `-c` repeats, and what is read is merged in its order: see
[configuration sources](../how-to/configuration-sources.md). `corepilot -- COMMAND ARGS…` wraps one command as a
minimal init does. The statuses they end with are on [a page of their own](exit-status.md).

Clients find the running corepilot through `--socket PATH`, or through the `control.socket` of the configuration
(`-c FILE`, else the places where `run` looks for one; whatever else is wrong with that file does not matter), or at the
default places: `/var/run/containerpilot.socket`, `$XDG_RUNTIME_DIR/corepilot/control.socket`,
`/tmp/corepilot-UID/control.socket`. `-c FILE` means the corepilot that runs FILE and no other: if the one that answers
runs another configuration, the command fails and names it. Where several answer at the default places, it is the one
that runs the configuration that `run` would find here; if none does, name one.

`start`, `stop`, `restart` and `reload` wait until they are done, and print a line for each change. Ctrl-C and
`--timeout` end the wait, not the request; `--no-wait` does not wait at all. A command that runs inside a job
which it has to stop does not wait either. With `-o json` each change is one JSON object on one line, as it comes, and
the last one has the `result`; [the control API](control-api.md) describes them.

JOB is a job's name, `NAME@2` where several jobs share one, or a pattern such as `'web-*'`. If one name is
unknown, nothing is done. [Control one job](../how-to/control-one-job.md) has examples.
"""


def page() -> str:
    """The whole page."""
    return "\n".join([HEAD, *(_section(command) for command in COMMANDS.values())])


def _section(command: Command) -> str:
    words = ["corepilot", command.name, *(["[OPTIONS]"] if command.options else []), command.positionals]
    lines = [f"## {command.name}", "", f"    {' '.join(filter(None, words))}", "", _sentence(command.summary), ""]
    if command.options:
        lines += ["| option | what it does |", "| --- | --- |"]
        for option in command.options:
            names = ", ".join(f"`{name}{' ' + option.value if option.value else ''}`" for name in option.names)
            repeated = "; repeatable" if option.repeated else ""
            lines.append(f"| {names} | {option.help}{repeated} |")
        lines.append("")
    return "\n".join(lines)


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."


if __name__ == "__main__":
    sys.stdout.write(page())
