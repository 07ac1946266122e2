"""The pages about plugins say what the code says."""

import importlib
import inspect
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from corepilot_consul.plugin import CAPABILITIES

from corepilot.checks.grpc_plugin import Options as GrpcOptions
from corepilot.checks.http_plugin import Options as HttpOptions
from corepilot.checks.tcp_plugin import Options as TcpOptions
from corepilot.errors import CorepilotError
from corepilot.guard.supervising import STUCK_S
from corepilot.http.client import Client
from corepilot.http.tls import TlsOptions
from corepilot.plugin import OptionError, hookspec, option
from corepilot.plugin.beat import STALL_S, STOPPING_STALL_S
from corepilot.plugin.conduct import OFF_AFTER, STALLS_MAX, PluginFaultError
from corepilot.plugin.hookspec import API_VERSION, KINDS
from corepilot.plugin.installed import SHIPPED
from corepilot.plugin.options import fields_of
from corepilot.plugin.oversight import LOOK_S
from corepilot.sources.source import SourceError
from corepilot.telemetry.sink import FLUSH_S

PUBLIC_ERRORS = ("corepilot.errors", PluginFaultError.__module__, SourceError.__module__)
ROOT = Path(__file__).resolve().parents[2]
REFERENCE = "\n" + (ROOT / "docs" / "reference" / "plugins.md").read_text()
NOTEBOOK = ROOT / "examples" / "plugins" / "corepilot-notebook"


def rows(heading: str) -> list[list[str]]:
    """The cells of the first table below a heading, its head left out."""
    text = REFERENCE.partition(f"\n{heading}\n")[2]
    table = re.search(r"(^\|.*\n)+", text, re.MULTILINE)
    assert table, heading
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table[0].splitlines()[2:]]


def test_every_group_its_hook_and_its_contract() -> None:
    found = {(group, kind, hook, contract) for group, kind, _, hook, contract in rows("# Plugins")}
    wanted = {
        (f"`{kind.group}`", kind.name, f"`{kind.hook}`", f"`{kind.contract.replace(':', '.')}`")
        for kind in KINDS.values()
    }
    assert found == wanted


def test_every_hook() -> None:
    named = {row[0].strip("`").partition("(")[0] for row in rows("## Hooks")}
    assert named == {name for name in dir(hookspec) if name.startswith("corepilot_")}


def test_every_argument_of_option() -> None:
    named = {name for row in rows("## Options") for name in re.findall(r"`(\w+)`", row[0])}
    assert named == set(inspect.signature(option).parameters)


@pytest.mark.parametrize("backend", ["consul", "etcd", "zookeeper"])
def test_every_option_of_the_backends_with_its_variable(backend: str) -> None:
    named = {(row[0].strip("`"), row[1].replace("`", "")) for row in rows(f"## The backend `{backend}`")}
    wanted = {
        (field.name, f"{field.info.env}{' (wins)' if field.info.env_wins else ''}")
        for field in fields_of(importlib.import_module(f"corepilot_{backend}.plugin").Options)
    }
    assert named == wanted


@pytest.mark.parametrize(
    ("sink", "module"),
    [
        ("prometheus", "corepilot_prometheus.plugin"),
        ("statsd", "corepilot_statsd.plugin"),
        ("otlp", "corepilot_otlp.plugin"),
        ("jsonl", "corepilot.telemetry.jsonl.plugin"),
    ],
)
def test_every_option_of_the_sinks(sink: str, module: str) -> None:
    light = importlib.import_module(module)
    named = {(row[0].strip("`"), row[1].strip("`"), row[3]) for row in rows(f"### The sink `{sink}`")}
    assert named == {(field.name, field.info.env, field.info.help) for field in fields_of(light.Options)}
    capabilities = {row[0].strip("`") for row in rows("Capabilities of sinks:")}
    assert capabilities >= light.CAPABILITIES


def test_the_interfaces_version_and_consuls_capabilities() -> None:
    assert f"This corepilot has version {API_VERSION}." in REFERENCE
    assert {row[0] for row in rows("Capabilities of backends:")} >= {f"`{word}`" for word in CAPABILITIES}


def test_every_plugin_of_this_checkout_can_be_suggested() -> None:
    published = {name for plugins in SHIPPED.values() for name in plugins.values()}
    assert {
        f"corepilot-{folder.name}" for kind in ("backends", "plugins") for folder in ROOT.glob(f"{kind}/*")
    } <= published


def test_the_authors_page_shows_the_notebook_as_it_is() -> None:
    page = (ROOT / "docs" / "authors" / "backends.md").read_text()
    files = [NOTEBOOK / "pyproject.toml", NOTEBOOK / "tests" / "test_notebook.py"]
    files += [NOTEBOOK / "corepilot_notebook" / name for name in ("plugin.py", "backend.py")]
    for file in files:
        kind = "toml" if file.suffix == ".toml" else "python"
        assert f"```{kind}\n{file.read_text()}```" in page, f"{file} has changed: copy it into docs/authors/backends.md"


def test_the_authors_page_shows_a_light_module_that_reads_addresses() -> None:
    page = (ROOT / "docs" / "authors" / "backends.md").read_text().partition("## A server's address, and TLS")[2]
    source = page.partition("```python\n")[2].partition("```")[0]
    light: dict[str, Any] = {"__name__": "corepilot_library"}
    exec(compile(source, "backends.md", "exec"), light)  # what the page shows, and nobody else's text
    assert {field.name: field.info.env for field in fields_of(light["Options"]) if field.info.env} == {
        "address": "LIBRARY_ADDR",
        "token": "LIBRARY_TOKEN",
        "tls.cafile": "LIBRARY_CACERT",
    }
    assert light["Options"](address="https://library").origin == "https://library:8701"
    assert light["Options"](address="unix:///run/library.sock").origin == "unix:///run/library.sock"
    with pytest.raises(OptionError, match="use token") as caught:
        light["Options"](address="http://me:s3cret@library")
    assert caught.value.name == "address"
    client = Client(light["Options"]().origin, tls=TlsOptions.of(light["Tls"](cafile="ca.pem")))
    client.close()


def test_the_notebooks_entry_point_is_where_the_page_says() -> None:
    project = tomllib.loads((NOTEBOOK / "pyproject.toml").read_text())["project"]
    assert project["entry-points"] == {"corepilot.backends": {"notebook": "corepilot_notebook.plugin"}}


def test_every_error_with_its_code() -> None:
    def all_below(kind: type[CorepilotError]) -> list[type[CorepilotError]]:
        return [kind, *(one for below in kind.__subclasses__() for one in all_below(below))]

    public = {kind for kind in all_below(CorepilotError) if kind.__module__ in PUBLIC_ERRORS}
    assert {(row[0].strip("`"), row[1].strip("`")) for row in rows("## Errors")} == {
        (kind.__name__, kind.code) for kind in public
    }


def test_every_option_of_the_check_http() -> None:
    named = {name for row in rows("## The check `http`") for name in re.findall(r"`([\w.]+)`", row[0])}
    assert named == {field.name for field in fields_of(HttpOptions)}


def test_every_option_of_the_check_tcp() -> None:
    named = {row[0].strip("`") for row in rows("## The check `tcp`")}
    assert named == {field.name for field in fields_of(TcpOptions)}


def test_every_option_of_the_check_grpc() -> None:
    named = {name for row in rows("## The check `grpc`") for name in re.findall(r"`([\w.]+)`", row[0])}
    assert named == {field.name for field in fields_of(GrpcOptions)}


def test_the_figures_of_the_boundary() -> None:
    page = REFERENCE.partition("\n## When a plugin fails\n")[2].partition("\n## ")[0]
    for figure in (
        f"holds the event loop up for {STALL_S:g} s ({STOPPING_STALL_S:g} s during a stop)",
        f"fails {OFF_AFTER} times in a row, or holds the event loop up {STALLS_MAX} times",
        f"at most {FLUSH_S:g} s",
        f"put back within {LOOK_S:g} s",
        f"after {STUCK_S:g} s, with the stack",
    ):
        assert figure in page, figure
