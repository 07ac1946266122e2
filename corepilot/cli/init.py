"""`corepilot init`: asks three questions, and writes a configuration, a Dockerfile and a walk.

The templates are in `corepilot/data/init`. What is written is a person's from then on: nothing here reads it again.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, TypeVar

from corepilot.cli.arguments import UsageError, suggest
from corepilot.errors import ConfigError

TEMPLATES = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "data", "init")

FILES = {"corepilot.json5": 0o644, "Dockerfile": 0o644, "walk": 0o755}
"""What is written, with its mode; the templates have the same names."""

_NAME = re.compile(r"[a-z][a-z0-9-]+")
_NAME_MAX = 40
_PORT_MAX = 65535
_FOR_A_SHELL = frozenset("|&;<>()$`*?~#{}\n")

_CATALOGS = {
    "embedded": "",
    "consul": "127.0.0.1:8500",
    "etcd": "127.0.0.1:2379",
    "zookeeper": "127.0.0.1:2181",
    "none": "",
}
"""The address of each catalog's server, where none is named; "" for those without a server."""

_IMAGES = {"python": "python:3-slim", "node": "node:lts-slim", "npm": "node:lts-slim", "ruby": "ruby:slim"}
_ANY_IMAGE = "debian:stable-slim"

_EMBEDDED = """\
  // Where services find each other: a directory. Containers on one host share it as a volume, then it is named:
  // {backend: "embedded", path: "/catalog"}. On several hosts it is a server: {backend: "consul", address: "…:8500"}.
  discovery: "embedded",
"""

_SERVICE = """
      // A job with a port is a service: it is in the catalog while its check passes. A check can ask more than whether
      // somebody listens: health: {http: "http://127.0.0.1:@PORT@/health", interval: 2, ttl: 10}.
      port: @PORT@,
      health: {tcp: "127.0.0.1:@PORT@", interval: 2, ttl: 10},

      // At a stop it leaves the catalog first, and goes on for a moment: until then it may still be asked.
      drain: "1s",
"""
_CHECK = """
      // Whether somebody listens. To ask more: health: {http: "http://127.0.0.1:@PORT@/health", interval: 2, ttl: 10}.
      health: {tcp: "127.0.0.1:@PORT@", interval: 2, ttl: 10},
"""

Answer = TypeVar("Answer")


def init(arguments: Any) -> int:
    """Write the files; returns 0.

    Raises:
        UsageError: an answer is missing and there is nobody to ask, or one that was given cannot be used.
        ConfigError: one of the files is there already, or cannot be written; then none is.
    """
    directory = arguments.directory or "."
    present = [name for name in FILES if os.path.lexists(os.path.join(directory, name))]
    if present:
        raise ConfigError(
            f"cannot write {' and '.join(present)} in {directory}: it is there already; move it away first"
        )
    name = _name(arguments.name, directory)
    command = _answer(arguments.run, "What does it run? (such as: node server.js)", None, _command, "--run 'COMMAND'")
    port = _answer(arguments.port, "On which port does it listen? (or none)", "none", _port, "--port")
    where = f"In which catalog do services find each other? ({', '.join(_CATALOGS)}; of a server also NAME=ADDRESS)"
    catalog = _answer(arguments.catalog, where, "embedded", _catalog, "--catalog")
    _write(directory, files_of(name, command, port, catalog))
    plugin = f"\ncorepilot needs the distribution corepilot-{catalog[0]} for that catalog\n" if catalog[1] else ""
    sys.stdout.write(
        f"{directory}: {', '.join(FILES)}\n\n"
        "  corepilot check corepilot.json5   # whether it is a good configuration\n"
        "  ./walk                            # starts it, kills it, stops it, and says whether all went well\n"
        "  corepilot                         # runs it\n"
        f"{plugin}"
    )
    return 0


def files_of(name: str, command: str, port: int, catalog: tuple[str, str]) -> dict[str, str]:
    """The files: name -> text.

    Args:
        name: The job's.
        command: What it runs, as a person types it.
        port: What it listens on; 0 for nothing.
        catalog: Its backend, or "none", and the address of its server.
    """
    backend, address = catalog
    shell = not _FOR_A_SHELL.isdisjoint(command)
    program = os.path.basename(shlex.split(command)[0]).rstrip("0123456789.")
    service = ("" if not port else _CHECK if backend == "none" else _SERVICE).replace("@PORT@", str(port))
    values = {
        "NAME": name,
        "EXEC": _template_free(json.dumps(command if shell else shlex.split(command), ensure_ascii=False)),
        "SHELL": "      shell: true,\n" if shell else "",
        "SERVICE": service,
        "DISCOVERY": _discovery(backend, address),
        "BASE": _IMAGES.get(program, _ANY_IMAGE),
        "EXPOSE": f"EXPOSE {port}\n" if port else "",
        "STATE": "healthy" if port else "running",
        "CATALOG": ', discovery: {backend: "embedded", path: "$run/catalog"}' if backend != "none" else "",
    }
    return {path: _filled(path, values) for path in FILES}


def _answer(
    given: str | None, question: str, default: str | None, understood: Callable[[str], Answer], option: str
) -> Answer:
    """What an option says, else a person, else the default."""
    if given is not None:
        return understood(given)
    if not sys.stdin.isatty():
        if default is None:
            raise UsageError(
                f"cannot ask what to run: standard input is not a terminal; say it: corepilot init {option}"
            )
        return understood(default)
    while True:
        sys.stdout.write(f"{question}{f' [{default}]' if default else ''}: ")
        sys.stdout.flush()
        line = sys.stdin.readline()
        if not line:
            raise UsageError("no answer, so nothing is written")
        try:
            return understood(line.strip() or default or "")
        except UsageError as error:
            sys.stdout.write(f"{error}\n")


def _command(text: str) -> str:
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise UsageError(f"cannot run {text!r}: {str(error).lower()}") from None
    if not words or "\0" in text:
        raise UsageError("cannot run nothing: write a command, such as: node server.js")
    return text.strip()


def _port(text: str) -> int:
    if text == "none":
        return 0
    if not text.isascii() or not text.isdigit() or not 0 < int(text[:9]) <= _PORT_MAX:
        raise UsageError(f"cannot listen on {text!r}: a port is a number from 1 to {_PORT_MAX}, or none")
    return int(text)


def _catalog(text: str) -> tuple[str, str]:
    name, equals, address = text.partition("=")
    if name not in _CATALOGS:
        raise UsageError(f"there is no catalog {name!r}: it is one of {', '.join(_CATALOGS)}{suggest(name, _CATALOGS)}")
    default = _CATALOGS[name]
    if equals and (not default or not re.fullmatch(r"[^\s\"'\\{}]+:[0-9]+", address)):
        hint = f"write {name}=HOST:PORT" if default else f"write {name}"
        raise UsageError(f"cannot use {text!r}: {hint}")
    return name, address or default


def _discovery(backend: str, address: str) -> str:
    if backend == "none":
        return ""
    if not address:
        return f"{_EMBEDDED}\n"
    options = {
        "consul": f'address: "{address}"',
        "etcd": f'endpoints: ["http://{address}"]',
        "zookeeper": f'hosts: "{address}"',
    }
    said = f'  discovery: {{backend: "{backend}", {options[backend]}}},\n'
    return f"  // Where services find each other.\n{said}\n"


def _name(given: str | None, directory: str) -> str:
    """The job's name: as given, else after the directory."""
    if given is None:
        folder = os.path.basename(os.path.abspath(directory)).lower()
        made = re.sub(r"[^a-z0-9]+", "-", folder)[:_NAME_MAX].strip("-")
        return made if _NAME.fullmatch(made) else "app"
    if not _NAME.fullmatch(given) or len(given) > _NAME_MAX:
        raise UsageError(f"cannot name a job {given!r}: use lower-case letters, digits and hyphens, a letter first")
    return given


def _template_free(text: str) -> str:
    """The same text where the configuration's template has been carried out."""
    return text.replace("{{", "{{`{{`}}")


def _filled(name: str, values: Mapping[str, str]) -> str:
    with open(os.path.join(TEMPLATES, f"{name}.in"), encoding="utf-8") as file:
        text = file.read()
    return re.sub(r"@([A-Z_]+)@", lambda match: values[match[1]], text)  # once: an answer may look like a place


def _write(directory: str, texts: Mapping[str, str]) -> None:
    """Write all of them, or none."""
    written = []
    try:
        os.makedirs(directory, exist_ok=True)
        for name, text in texts.items():
            path = os.path.join(directory, name)
            with open(path, "x", encoding="utf-8") as file:
                written.append(path)
                file.write(text)
            os.chmod(path, FILES[name])
    except OSError as error:
        for path in written:
            with suppress(OSError):
                os.unlink(path)
        raise ConfigError(f"cannot write {error.filename or directory}: {error.strerror}") from error
