"""`corepilot catalog [SERVICE]`: what the catalogs hold, from any machine that can reach them."""

from collections.abc import Sequence
from typing import Any, Protocol

from corepilot.cli.catalog_access import CatalogArguments, OpenCatalog, configuration_of, open_catalogs
from corepilot.cli.clients import complain, say, say_json
from corepilot.errors import BackendError
from corepilot.model.service import Instance, Query
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

    Where there is nothing, a line on stderr says so; what reads stdout finds nothing to skip there.

    Raises:
        ConfigError, PluginError, BackendError: see `catalog_access`; nothing was printed.
    """
    configuration = configuration_of(arguments)
    catalogs = open_catalogs(configuration, arguments.environment)
    try:
        found = [_asked(one, arguments.positionals) for one in catalogs if "services" in one.backend.capabilities]
    finally:
        for one in catalogs:
            one.backend.close()
    if arguments.output == "json":
        say_json(found)
    elif arguments.positionals:
        instances = [
            (f"{one['address']}:{one['port']}", one["id"], one["status"], ",".join(one["tags"]) or "-", name["catalog"])
            for name in found
            for one in name["instances"]
        ]
        _say(
            ("ADDRESS", "INSTANCE", "STATUS", "TAGS", "CATALOG"),
            instances,
            f"no instance of {arguments.positionals[0]}",
            found,
        )
    else:
        rows = [(service, one["catalog"]) for one in found for service in one["services"]]
        _say(("SERVICE", "CATALOG"), rows, "no service", found)
    return 0


def _say(head: tuple[str, ...], rows: Sequence[tuple[str, ...]], nothing: str, found: list[dict[str, Any]]) -> None:
    for line in table(head, rows):
        say(line)
    if not rows:
        names = " and ".join(one["catalog"] for one in found)
        complain(f"{nothing} in {names}" if found else "no catalog of the configuration holds services")


def _asked(catalog_: OpenCatalog, services: list[str]) -> dict[str, Any]:
    backend = catalog_.backend
    if services:
        return {"catalog": catalog_.name, "instances": [_plain(one) for one in backend.instances(Query(services[0]))]}
    try:
        return {"catalog": catalog_.name, "services": list(backend.service_names())}
    except NotImplementedError:
        what = f"cannot list the services of the catalog {catalog_.name}: its backend does not tell them"
        raise BackendError(f"{what}; name one: corepilot catalog SERVICE") from None


def _plain(instance: Instance) -> dict[str, Any]:
    return {
        "id": instance.id, "address": instance.address, "port": instance.port, "status": instance.status,
        "tags": list(instance.tags),
    }  # fmt: skip
