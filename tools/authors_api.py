"""docs/authors/api.md, made from docstrings: `python tools/authors_api.py > docs/authors/api.md`."""

import ast
import importlib
import inspect
import re
import sys
import textwrap
import types
import typing
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

PUBLIC: dict[str, tuple[str, ...]] = {
    "corepilot.plugin": ("hookimpl", "option", "OptionError"),
    "corepilot.plugin.network": ("network_address", "NetworkAddress", "TlsGroup", "tls_option"),
    "corepilot.plugin.hookspec": (
        "API_VERSION", "corepilot_register_backend", "corepilot_register_sink", "corepilot_register_source",
        "corepilot_register_check", "corepilot_register_observer", "corepilot_register_command",
    ),
    "corepilot.plugin.verify": ("assert_light",),
    "corepilot.discovery.backend": ("Backend", "BackendContext", "facet", "STREAM_BLOCK_S"),
    "corepilot.discovery.keys": ("Keys", "KEY_MAX", "VALUE_MAX"),
    "corepilot.discovery.locks": ("Locks",),
    "corepilot.model.service": ("Registration", "Instance", "Query", "Status", "Snapshot"),
    "corepilot.model.catalog": ("Entry", "Entries", "Grant"),
    "corepilot.telemetry.sink": ("Sink", "SinkContext", "FLUSH_S", "LAST_FLUSH_S"),
    "corepilot.telemetry.metrics": ("Metrics", "Family", "Series", "BUCKETS", "QUANTILES"),
    "corepilot.sources.source": ("Source", "SourceContext", "SourceText", "SourceError", "MAX_BYTES"),
    "corepilot.checks.check": ("Check", "CheckContext", "CheckFailed", "OUTPUT_MAX"),
    "corepilot.observers.observer": ("Observer", "ObserverContext"),
    "corepilot.model.fact": ("QUEUE_MAX", "Fact", "EventSeen", "RunStarted", "RunEnded", "Reloaded"),
    "corepilot.model.event": ("Event", "CODES"),
    "corepilot.errors": (
        "CorepilotError", "ConfigError", "PluginError", "BackendError", "BackendUnavailableError",
        "BackendTimeoutError", "BackendRefusedError", "UnknownInstanceError", "LockLostError",
    ),
    "corepilot.http.client": ("Client", "ClientLimits"),
    "corepilot.http.message": ("Headers", "Request", "Response"),
    "corepilot.http.errors": (
        "HttpError", "HttpTimeoutError", "HttpConnectError", "HttpProtocolError", "HttpTooLargeError",
    ),
    "corepilot.http.tls": ("TlsOptions", "TlsSettings"),
    "corepilot.http.stream": ("BodyStream",),
    "corepilot.testing.backends": (
        "BackendSuite", "LookupSuite", "KeySuite", "LockSuite", "LossSuite", "OutageSuite", "HangSuite", "FaultSuite",
        "ExpirySuite", "Listener", "context", "instance_of", "require",
    ),
    "corepilot.testing.sinks": ("SinkSuite", "SinkOutageSuite", "metrics"),
    "corepilot.testing.sources": ("SourceSuite", "SourceHangSuite"),
    "corepilot.testing.checks": ("CheckSuite", "CheckHangSuite", "context"),
    "corepilot.testing.observers": ("ObserverSuite", "context", "facts"),
    "corepilot.testing.commands": ("CommandSuite",),
    "corepilot.testing.proxy": ("FaultProxy",),
    "corepilot.testing.memory": ("MemoryCatalog", "MemoryBackend"),
    "corepilot.testing.running": ("RunningCorepilot", "Started"),
    "corepilot.testing.pytest_plugin": ("corepilot",),
}  # fmt: skip
"""What a plugin, and its tests, may import: by module."""

HEAD = """# The public API

<!-- Made by `python tools/authors_api.py`. Change the docstrings, not this page. -->

Everything that a plugin and its tests may import from corepilot, version {version}; the [policy](api-policy.md) says
what that means. Whatever is not on this page is corepilot's own.
"""


def page() -> str:
    """The whole page."""
    version = importlib.import_module("corepilot.plugin.hookspec").API_VERSION
    parts = [HEAD.format(version=version)]
    for module_name, names in PUBLIC.items():
        module = importlib.import_module(module_name)
        parts.append(f"## {module_name}\n\n{_first(module)}\n")
        parts += [_entry(module, name) for name in names]
    return "\n".join(parts)


def _entry(module: Any, name: str) -> str:
    found = getattr(module, name)
    wrapped = getattr(found, "_get_wrapped_function", None)  # a fixture of pytest's
    if wrapped is not None:
        return f"### `{name}` (fixture)\n\n{_text(wrapped())}\n"
    if typing.get_origin(found) is not None:
        return f"### `{name}`\n\nAn alias: `{_alias(found)}`.\n"
    if inspect.isclass(found):
        return "\n".join([f"### `{_class_line(found)}`\n\n{_text(found)}\n", *_attributes(found), *_members(found)])
    if callable(found):
        return f"### `{name}{_signature(found)}`\n\n{_text(found)}\n"
    return f"### `{name}`\n\n{_constant(module, name, found)}\n"


def _class_line(kind: type[Any]) -> str:
    bases = [base.__name__ for base in kind.__bases__ if base.__module__.startswith("corepilot") or base is Exception]
    shown = [base for base in bases if base not in {"Value", "Conduct", "Suite"}]
    return f"class {kind.__name__}({', '.join(shown)})" if shown else f"class {kind.__name__}"


def _attributes(kind: type[Any]) -> Iterator[str]:
    """Attributes that have a text of their own below them: those that a subclass sets."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(kind))).body[0]
    assert isinstance(tree, ast.ClassDef)  # noqa: S101  - what `inspect` found
    for one, below in pairwise(tree.body):
        if not isinstance(one, ast.AnnAssign) or not isinstance(below, ast.Expr):
            continue
        if isinstance(below.value, ast.Constant) and isinstance(below.value.value, str):
            yield f"- `{ast.unparse(one)}`: {' '.join(below.value.value.split())}\n"


def _members(kind: type[Any]) -> Iterator[str]:
    """Methods and properties that are documented and not private; of the suites, what an author supplies."""
    suite = kind.__module__.startswith("corepilot.testing")
    for name, member in vars(kind).items():
        function = member.fget if isinstance(member, property) else getattr(member, "__func__", member)
        if name.startswith("_") or not inspect.isfunction(function) or not function.__doc__:
            continue
        if suite and name.startswith(("setup_", "teardown_")):
            continue
        text = _text(function)
        plain = isinstance(member, property) or name.startswith("test_")
        what = f"`{name}`" if plain else f"`{name}{_signature(function)}`"
        yield f"- {what}: {_indented(text)}\n"


def _signature(function: Any) -> str:
    """As it is written in the source."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(function))).body[0]
    assert isinstance(tree, ast.FunctionDef)  # noqa: S101  - what `inspect` found
    tree.args.args = [one for one in tree.args.args if one.arg != "self"]
    for one in [*tree.args.posonlyargs, *tree.args.args, *tree.args.kwonlyargs]:
        one.annotation = _unquoted(one.annotation)
    tree.returns = _unquoted(tree.returns)
    returned = f" -> {ast.unparse(tree.returns)}" if tree.returns else ""
    return f"({ast.unparse(tree.args)}){returned}"


def _unquoted(annotation: ast.expr | None) -> ast.expr | None:
    if isinstance(annotation, ast.Constant) and isinstance(annotation.value, str):
        return ast.parse(annotation.value, mode="eval").body
    return annotation


def _text(thing: Any) -> str:
    """The docstring; its sections become paragraphs and lists."""
    lines = []
    for line in inspect.cleandoc(thing.__doc__ or "").split("\n"):
        section = re.fullmatch(r"(Args|Attributes|Returns|Raises|Yields):", line)
        if section:
            lines += [f"*{section[1]}*", ""]
        elif re.match(r"    \S", line):
            entry = re.fullmatch(r"    (\*{0,2}[\w, .]+): (.*)", line)
            lines.append(f"- `{entry[1]}`: {entry[2]}" if entry else line.strip())
        else:
            lines.append(line.removeprefix("    "))
    return "\n".join(lines).strip()


def _indented(text: str) -> str:
    return "\n".join(f"  {line}" if line and number else line for number, line in enumerate(text.split("\n")))


def _first(module: Any) -> str:
    return inspect.cleandoc(module.__doc__ or "").partition("\n\n")[0]


def _alias(found: Any) -> str:
    if typing.get_origin(found) is types.UnionType or typing.get_origin(found) is typing.Union:
        return " | ".join(one.__name__ for one in typing.get_args(found))
    return re.sub(r"\b(?:\w+\.)+(\w+)", r"\1", str(found))


def _constant(module: Any, name: str, value: Any) -> str:
    """The text below a constant in the source, and its value."""
    source = inspect.getsource(module)
    found = re.search(rf'^{name}\b.*?\n"""(.*?)"""$', source, re.MULTILINE | re.DOTALL)
    shown = sorted(value) if isinstance(value, frozenset) else value
    text = f"{' '.join(found[1].split())} " if found and "\n\n\n" not in found[0] else ""
    return f"{text}Value: `{shown!r}`."


if __name__ == "__main__":
    sys.stdout.write(page())
