"""`corepilot catalog [SERVICE]`: what the catalogs hold, from any machine that can reach them."""

from collections.abc import Sequence
from contextlib import closing
from typing import Any, Protocol

from corepilot.cli.catalog_access import CatalogArguments, Opener, catalogs_of
from corepilot.cli.clients import complain, say, say_json
from corepilot.errors import ConfigError, CorepilotError
from corepilot.model.plugin import PluginReference
from corepilot.model.service import Instance, Query
from corepilot.plugin.boundary import PluginFaultError
from corepilot.wording.tables import table


class Arguments(CatalogArguments, Protocol):
    """What the command looks at.

    Attributes:
        positionals: A service, or nothing.
        output: "json", or anything else for a table.
    """

    positionals: list[str]
    output: str | None


def catalog(arguments: Arguments) -> int:
    """Print every service, or every instance of one with its status; 1 if a catalog cannot be asked.

    The others are asked all the same. Where there is nothing, a line on stderr says so; what reads stdout finds nothing
    to skip there.

    Raises:
        ConfigError: see `catalogs_of`; nothing was printed.
    """
    configuration, faults = catalogs_of(arguments)
    if not configuration.catalogs:
        raise ConfigError("cannot ask a catalog: the configuration names none; name one with --discovery")
    opener, wanted = Opener(arguments.environment), arguments.positionals
    found = [
        _asked(name, plugin, opener, wanted)
        for name, plugin in configuration.catalogs
        if "services" in plugin.capabilities
    ]
    failed = [one for one in found if "error" in one]
    for fault in faults:
        complain(fault)
    for one in failed:
        what = f"instances of {wanted[0]}" if wanted else "services"
        complain(f"cannot list the {what} in {one['catalog']}: {one['error']}")
    if arguments.output == "json":
        say_json(found)
    elif wanted:
        instances = [
            (f"{one['address']}:{one['port']}", one["id"], one["status"], ",".join(one["tags"]) or "-", name["catalog"])
            for name in found
            for one in name["instances"]
        ]
        _say(("ADDRESS", "INSTANCE", "STATUS", "TAGS", "CATALOG"), instances, f"no instance of {wanted[0]}", found)
    else:
        rows = [(service, one["catalog"]) for one in found for service in one["services"]]
        _say(("SERVICE", "CATALOG"), rows, "no service", found)
    return 1 if failed or faults else 0


def _say(head: tuple[str, ...], rows: Sequence[tuple[str, ...]], nothing: str, found: list[dict[str, Any]]) -> None:
    for line in table(head, rows):
        say(line)
    if not rows and not found:
        complain("no catalog of the configuration holds services")
    names = " and ".join(one["catalog"] for one in found if "error" not in one)
    if not rows and names:
        complain(f"{nothing} in {names}")


def _asked(name: str, plugin: PluginReference, opener: Opener, services: list[str]) -> dict[str, Any]:
    """What one catalog holds, or, as its `error`, why that cannot be told."""
    key = "instances" if services else "services"
    try:
        with closing(opener.open(plugin)) as backend:
            if services:
                return {"catalog": name, key: [_plain(one) for one in backend.instances(Query(services[0]))]}
            return {"catalog": name, key: list(backend.service_names())}
    except NotImplementedError:
        why = "its backend does not tell them; name one: corepilot catalog SERVICE"
    except (CorepilotError, PluginFaultError) as error:
        why = str(error)
    return {"catalog": name, key: [], "error": why}


def _plain(instance: Instance) -> dict[str, Any]:
    return {
        "id": instance.id, "address": instance.address, "port": instance.port, "status": instance.status,
        "tags": list(instance.tags),
    }  # fmt: skip
