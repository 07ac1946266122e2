"""Who may import whom: the floors of docs/explanation/design.md.

What counts is what the source says. An import inside a function (put off to save time at the start) and one below
`if TYPE_CHECKING` (for annotations only) count like any other: a module that names the types of another one knows it.
"""

import ast
import re
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

# From the ground up. A package imports from the floors below its own only. A module that stands in corepilot/ itself
# counts as a package.
FLOORS = (
    ("model", "wording", "system", "gotemplate", "errors", "_version"),
    ("events", "output", "http", "guard", "rendering"),
    ("plugin",),
    ("observers", "sources", "discovery", "control", "checks"),
    ("telemetry",),
    ("config", "testing"),
    ("jobs",),
    ("supervisor",),
    ("cli",),
    ("migrate", "__main__"),
)

# Packages that import nothing of ours at all.
SELF_CONTAINED = ("model", "wording", "system", "gotemplate")

# What a plugin may use: the contracts, and what is public beside them.
CONTRACTS = (
    "corepilot.plugin",
    "corepilot.discovery.backend",
    "corepilot.discovery.keys",
    "corepilot.discovery.locks",
    "corepilot.telemetry.sink",
    "corepilot.telemetry.metrics",  # what a sink collects
    "corepilot.sources.source",
    "corepilot.observers.observer",
    "corepilot.checks.check",
    "corepilot.model",
    "corepilot.errors",
    "corepilot.http",
    "corepilot.testing",
    "corepilot.system.light_imports",  # for a client library that imports more than it needs
)

# Functions of their arguments, all the way down.
PURE = (
    *(f"corepilot.jobs.{name}" for name in (
        "actor", "audience", "check", "checking", "compare", "descent", "ending", "following", "future",
        "handover", "holding", "jobset", "levels", "machine", "observer", "orders", "parts", "plan", "process",
        "readiness", "registration", "replan", "seating", "starting", "state", "stopping", "trigger",
    )),
    *(f"corepilot.supervisor.{name}" for name in ("desired", "difference", "outcome")),
    *(f"corepilot.config.{name}" for name in ("graph", "starting")),
)  # fmt: skip
PURE_LIBRARY = {
    "__future__", "abc", "bisect", "collections", "dataclasses", "difflib", "functools", "json", "math", "operator",
    "re", "traceback", "typing", "unicodedata", "zlib",
}  # fmt: skip
CLOCK_AS_ARGUMENT = {"corepilot.events -> time"}

# Knows everybody. Another module that imports from more packages than these has taken over some of its work.
ROOT_MODULE = "corepilot.supervisor.app"
PACKAGES_MAX = 9


def _modules(folder: Path) -> dict[str, Path]:
    found = {}
    for file in folder.rglob("*.py"):
        parts = file.relative_to(folder.parent).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = file
    return found


OURS = _modules(ROOT / "corepilot")
PLUGINS = {
    name: file
    for shelf in ("backends", "plugins", "examples/plugins")
    for init in (ROOT / shelf).glob("*/*/__init__.py")
    if init.parent.name.startswith("corepilot_")
    for name, file in _modules(init.parent).items()
}
ALL = OURS | PLUGINS


@cache
def imports(module: str) -> frozenset[str]:
    """The modules that a module names, ours and others'."""
    found = set()
    for node in ast.walk(ast.parse(ALL[module].read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{module} imports relatively"
            source = node.module or ""
            found |= {f"{source}.{a.name}" if f"{source}.{a.name}" in ALL else source for a in node.names}
    return frozenset(found - {module})


def ours(module: str) -> set[str]:
    return {name for name in imports(module) if name in ALL}


def package(module: str) -> str:
    """The name on a floor: "jobs" of "corepilot.jobs.machine"; a plugin's distribution; "" of "corepilot" itself."""
    first, _, rest = module.partition(".")
    return rest.partition(".")[0] if first == "corepilot" else first


def folder(module: str) -> str:
    """The folder in which a module stands; for one that stands in corepilot/ itself, its own name."""
    parent = module if ALL[module].name == "__init__.py" else module.rpartition(".")[0]
    return module if parent == "corepilot" else parent


def circle(arrows: Mapping[str, Iterable[str]]) -> list[str]:
    """One circle, from a name to itself; empty if there is none."""
    done: set[str] = set()

    def visit(name: str, path: list[str]) -> list[str]:
        if name in path:
            return [*path[path.index(name) :], name]
        if name not in done:
            for target in sorted(arrows.get(name, ())):
                found = visit(target, [*path, name])
                if found:
                    return found
            done.add(name)
        return []

    return next((found for name in sorted(arrows) if (found := visit(name, []))), [])


def all_below(module: str) -> set[str]:
    """A module and all of ours that it imports, directly or not."""
    found: set[str] = set()
    left = [module]
    while left:
        name = left.pop()
        if name not in found:
            found.add(name)
            left += ours(name)
    return found


# ----------------------------------------------------------------------------------------------------------- the search
def test_every_kind_of_import_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "sample.py"
    file.write_text(
        "import os.path\nfrom corepilot import errors\nif TYPE_CHECKING:\n    from corepilot.model.job import Job\n"
        "def late():\n    from corepilot.jobs.machine import step\n"
    )
    monkeypatch.setitem(ALL, "sample", file)
    assert imports("sample") == {"os.path", "corepilot.errors", "corepilot.model.job", "corepilot.jobs.machine"}


def test_a_circle_is_found() -> None:
    assert circle({"a": ["b"], "b": ["c"], "c": ["b"]}) == ["b", "c", "b"]
    assert circle({"a": ["b", "c"], "b": ["c"], "c": []}) == []


# ------------------------------------------------------------------------------------------------------------ the rules
def test_no_modules_import_one_another_in_a_circle() -> None:
    assert circle({module: ours(module) for module in ALL}) == []


def test_no_packages_import_one_another_in_a_circle() -> None:
    arrows: dict[str, set[str]] = {}
    for module in ALL:
        arrows.setdefault(folder(module), set()).update({folder(name) for name in ours(module)} - {folder(module)})
    assert circle(arrows) == []


def test_every_package_has_its_floor() -> None:
    assert {package(module) for module in OURS} - {""} == {name for floor in FLOORS for name in floor}


def test_imports_go_down() -> None:
    height = {name: number for number, floor in enumerate(FLOORS) for name in floor}
    upward = [
        f"{module} -> {name}"
        for module in OURS
        for name in ours(module)
        if package(name) and package(name) != package(module) and height[package(name)] >= height[package(module)]
    ]
    assert upward == []


@pytest.mark.parametrize("name", SELF_CONTAINED)
def test_the_ground_knows_nobody(name: str) -> None:
    foreign = [f"{m} -> {t}" for m in OURS if package(m) == name for t in ours(m) if package(t) != name]
    assert foreign == []


@pytest.mark.parametrize("module", PURE)
def test_pure_modules_do_no_input_or_output(module: str) -> None:
    """All the way down: neither they nor what they import knows gevent, files, processes or a clock."""
    outside = {
        f"{name} -> {target}"
        for name in all_below(module)
        for target in imports(name)
        if target not in ALL and target.partition(".")[0] not in PURE_LIBRARY
    }
    assert outside <= CLOCK_AS_ARGUMENT


def test_only_the_root_imports_broadly() -> None:
    known = {module: {package(name) for name in ours(module)} - {package(module), "_version", ""} for module in ALL}
    assert {module for module, packages in known.items() if len(packages) > PACKAGES_MAX} == {ROOT_MODULE}


def test_only_boot_imports_the_root() -> None:
    assert {module for module in ALL if ROOT_MODULE in imports(module)} == {"corepilot.supervisor.boot"}


def test_only_the_command_line_imports_the_supervisor() -> None:
    """It fills in what to run (`arguments`), and starts it (`boot`)."""
    uses = {(m, name) for m in ALL for name in ours(m) if package(name) == "supervisor" != package(m)}
    assert uses == {
        ("corepilot.cli.main", "corepilot.supervisor.boot"),
        ("corepilot.cli.main", "corepilot.supervisor.arguments"),
        ("corepilot.cli.containerpilot", "corepilot.supervisor.arguments"),
    }


def test_plugins_use_the_contracts_only() -> None:
    allowed = re.compile("|".join(f"{re.escape(name)}(\\.|$)" for name in CONTRACTS))
    assert {package(module) for module in PLUGINS} >= {
        *(
            "corepilot_consul",
            "corepilot_etcd",
            "corepilot_notebook",
            "corepilot_otlp",
            "corepilot_prometheus",
            "corepilot_redis",
            "corepilot_statsd",
            "corepilot_zookeeper",
        )
    }
    beyond = [
        f"{m} -> {name}"
        for m in PLUGINS
        for name in imports(m)
        if package(name) and name in OURS and not allowed.match(name)
    ]
    assert beyond == []


@pytest.mark.parametrize(
    ("plugin", "beside"),
    [
        (
            "corepilot.discovery.embedded",
            {"corepilot.output.repeat", "corepilot.system.inotify", "corepilot.system.semaphore"},
        ),
        ("corepilot.telemetry.jsonl", set()),
    ],
)
def test_what_comes_with_the_core_uses_the_contracts_like_a_plugin(plugin: str, beside: set[str]) -> None:
    """It enters by the same door as others. Beside the contracts the embedded catalog uses the log's
    limiter, inotify, and a semaphore."""
    allowed = re.compile("|".join(f"{re.escape(name)}(\\.|$)" for name in (*CONTRACTS, plugin)))
    beyond = {name for m in OURS if m.startswith(f"{plugin}.") for name in ours(m) if not allowed.match(name)}
    assert beyond == beside
