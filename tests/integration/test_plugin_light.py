"""Every plugin that comes with corepilot keeps its light module light, and passes `plugins verify`."""

import pytest

from corepilot.plugin.installed import InstalledPlugin, normalized, scan
from corepilot.plugin.verify import assert_light, imported_by, verify

SHIPPED = [
    plugin
    for plugin in scan()
    # The source of files has no light module: the loader reads files without asking for a plugin.
    if normalized(plugin.distribution).partition("-")[0] == "corepilot" and plugin.kind != "source"
]


def named(plugin: InstalledPlugin) -> str:
    return f"{plugin.kind} {plugin.name}"


def test_there_are_shipped_plugins() -> None:
    assert {"embedded", "consul"} <= {plugin.name for plugin in SHIPPED}


@pytest.mark.parametrize("plugin", SHIPPED, ids=named)
def test_the_light_module_is_light(plugin: InstalledPlugin) -> None:
    assert_light(plugin.module)


@pytest.mark.parametrize("plugin", SHIPPED, ids=named)
def test_nothing_is_wrong_with_it(plugin: InstalledPlugin) -> None:
    assert verify(plugin) == []


def test_a_heavy_module_is_found_out() -> None:
    assert {"gevent", "consul.base", "corepilot.http.client"} <= imported_by("corepilot_consul.backend")
    with pytest.raises(AssertionError, match="must import only the standard library"):
        assert_light("corepilot_consul.backend")
