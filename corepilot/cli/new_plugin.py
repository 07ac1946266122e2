"""`corepilot plugins new KIND NAME`: writes a plugin that works, is tested, and can be published.

The templates are in `corepilot/data/new_plugin`: those of `common`, and those of the kind.
"""

import os
import re
import sys

from corepilot.cli.arguments import UsageError, suggest
from corepilot.errors import ConfigError
from corepilot.plugin.hookspec import API_VERSION, KINDS

TEMPLATES = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "data", "new_plugin")

_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_NAME_MAX = 40

SUMMARIES = {
    "backend": "Keeps services in one JSON file",
    "sink": "Sends metrics as lines of text in UDP datagrams",
    "source": "Reads the configuration from a file",
    "check": "Compares a number in a file with a limit",
    "observer": "Writes a line for everything that happens",
    "command": "Greets people",
}
"""What the plugin does that is written, by kind."""

_USES = {
    "backend": '```json5 fragment\ndiscovery: {backend: "@NAME@", path: "/run/@NAME@.json"},\n```',
    "sink": '```json5 fragment\ntelemetry: {sinks: [{sink: "@NAME@", address: "127.0.0.1:9125"}]},\n```',
    "source": "```sh\ncorepilot run -c @NAME@:///etc/corepilot.json5\n```",
    "check": '```json5 fragment\nhealth: {check: "@NAME@", options: {path: "/run/length"}, interval: 5, ttl: 15},\n```',
    "observer": '```json5 fragment\nobservers: [{observer: "@NAME@", path: "/var/log/@NAME@.log"}],\n```',
    "command": "```sh\ncorepilot @NAME@ Ada\n```",
}


def new_plugin(kind: str, name: str, directory: str | None) -> int:
    """Write the plugin into `DIRECTORY/corepilot-NAME`; returns 0.

    Raises:
        UsageError: there is no such kind, or the name cannot be one.
        ConfigError: the name is taken, or the directory is there already, or cannot be written.
    """
    if kind not in KINDS:
        raise UsageError(f"cannot write {kind!r}: the kind is one of {', '.join(KINDS)}{suggest(kind, KINDS)}")
    if not _NAME.fullmatch(name) or len(name) > _NAME_MAX:
        raise UsageError(f"cannot name a {kind} {name!r}: use lower-case letters, digits and single hyphens")
    taken = _taken(kind, name)
    if taken:
        raise ConfigError(f"cannot name a {kind} {name!r}: {taken}; choose another name")
    target = os.path.join(directory or ".", f"corepilot-{name}")
    texts = files_of(kind, name)
    try:
        os.makedirs(directory or ".", exist_ok=True)
        os.mkdir(target)
        for path, text in texts.items():
            file = os.path.join(target, path)
            os.makedirs(os.path.dirname(file), exist_ok=True)
            with open(file, "x", encoding="utf-8") as opened:
                opened.write(text)
            if path.endswith(".sh"):
                os.chmod(file, 0o755)  # noqa: S103  - a program
    except FileExistsError:
        raise ConfigError(f"cannot write {target}: it is there already; choose another name or --directory") from None
    except OSError as error:
        raise ConfigError(f"cannot write {target}: {error.strerror}") from error
    sys.stdout.write(
        f"{target}: {'an' if kind[0] in 'aeiou' else 'a'} {kind} that works, with its tests\n\n"
        f"  cd {target}\n"
        "  python -m venv .venv\n"
        "  .venv/bin/python -m pip install -e '.[test]'\n"
        "  .venv/bin/python -m pytest\n\n"
        "pip has to find corepilot as well: if yours is from a clone, run .venv/bin/python -m pip install CLONE first\n"
    )
    return 0


def _taken(kind: str, name: str) -> str:
    """Why nobody would ever get a plugin by this name; "" if it is free."""
    from corepilot.cli.table import COMMANDS
    from corepilot.plugin.installed import scan

    others = [one for one in scan(KINDS[kind].group) if one.name == name]
    if any(one.built_in for one in others) or (kind == "command" and name in COMMANDS):
        return "corepilot has one of that name, which wins"
    if others:
        return f"{others[0].distribution} brings one of that name, and two of them cannot be used"
    distribution = f"corepilot-{name}"
    if any(distribution in one.shipped.values() for one in KINDS.values()):
        return f"{distribution} is a distribution of corepilot's own"
    return ""


def files_of(kind: str, name: str) -> dict[str, str]:
    """The files of a plugin: path in its directory -> text."""
    from corepilot import _version

    module = f"corepilot_{name.replace('-', '_')}"
    values = {
        "USE": _USES[kind], "SUMMARY": SUMMARIES[kind], "API": API_VERSION, "CORE": _version.__version__,
        "KIND": kind, "NAME": name, "MODULE": module, "DISTRIBUTION": f"corepilot-{name}",
        "CLASS": "".join(part.capitalize() for part in name.split("-")),
    }  # fmt: skip
    places = {
        "pyproject.toml": "common/pyproject.toml", "README.md": "common/README.md", "ci.sh": "common/ci.sh",
        ".gitignore": "common/gitignore", f"{module}/__init__.py": "common/init.py",
        f"{module}/plugin.py": f"{kind}/plugin.py", f"{module}/{kind}.py": f"{kind}/{kind}.py",
        f"tests/test_{name.replace('-', '_')}.py": f"{kind}/test.py",
    }  # fmt: skip
    found = {path: _filled(place, values) for path, place in places.items()}
    return {**found, f"{module}/py.typed": ""}


def _filled(place: str, values: dict[str, str]) -> str:
    with open(os.path.join(TEMPLATES, f"{place}.in"), encoding="utf-8") as file:
        text = file.read()
    for name, value in values.items():
        text = text.replace(f"@{name}@", value)
    return text
