"""What the parts of a conversion share."""

from collections.abc import Sequence

from corepilot.migrate.layout import Piece, nested
from corepilot.migrate.masking import Condition
from corepilot.migrate.names import Names, service_name
from corepilot.migrate.outline import OutlineNode
from corepilot.migrate.reading import Version2File
from corepilot.migrate.services import is_plain

RAW = ["logging: { raw: true },"]
"""Version 2 let the program and the hooks around it write to the container's own streams."""


class Draft:
    """The new file while it is made.

    Args:
        old: The file of version 2.
        program: The main program: the words of the command line. Empty if there is none.

    Attributes:
        names: The names of the jobs. Services are sure of theirs, because others look for them; hooks come next.
        hooks: The names of the jobs of preStart, preStop and postStop.
        jobs: The jobs so far.
        main: The name of the main program's job, as it stands between quotes.
        pre_start: The blocks of the template around each preStart.
        own: Keys in the new file that ContainerPilot 3 does not know.
    """

    def __init__(self, old: Version2File, program: Sequence[str]) -> None:
        self.old = old
        self.program = program
        self.jobs: list[Piece] = []
        self.pre_start: list[tuple[Condition, ...]] = []
        self.own: set[str] = set()
        self.names = Names()
        services = self.elements("services")
        for element in services:
            self.names.keep(service_name(old, element, "")[0])
        if old.top("telemetry"):
            self.names.keep("containerpilot")  # telemetry's own service
        self.hooks = {key: self.names.give(key) for key in ("preStart", "preStop", "postStop")}
        first = bool(services) and is_plain(old, services[0])
        self.main = service_name(old, services[0], "")[0] if first else self.names.give("main")

    def job(self, conditions: tuple[Condition, ...], keys: Sequence[Piece], remarks: Sequence[str] = ()) -> None:
        """Add a job.

        Args:
            conditions: The blocks of the template it stands in.
            keys: Its keys; their own blocks are inside of those.
            remarks: Comments before it.
        """
        self.jobs.append(Piece(conditions, [*remarks, *nested("", keys, "{}", len(conditions))]))

    def after_pre_start(self, conditions: tuple[Condition, ...]) -> list[Piece]:
        """The key `when` of what version 2 starts once preStart has succeeded; nothing if there is no preStart.

        Args:
            conditions: The blocks that the job stands in.
        """
        when = [f'when: {{ source: "{self.hooks["preStart"]}", once: "exitSuccess" }},']
        return [Piece(within(conditions, one), when) for one in self.pre_start]

    def after_the_end(self, conditions: tuple[Condition, ...]) -> list[Piece]:
        """The key `stopAfter` of what version 2 stops when the program and postStop have ended.

        Args:
            conditions: The blocks that the job stands in.
        """
        self.own.add("stopAfter")
        main, hook = f'"{self.main}"', f'"{self.hooks["postStop"]}"'
        around = [within(conditions, self.old.conditions(value)) for value in self.old.top("postStop")]
        if all(one == conditions for one in around):
            return [Piece(conditions, [f"stopAfter: [{', '.join([main, hook] if around else [main])}],"])]
        names = [Piece(conditions, [f"{main},"]), *(Piece(one, [f"{hook},"]) for one in around)]
        return [Piece(conditions, nested("stopAfter: ", names, "[]", len(conditions)))]

    def elements(self, key: str) -> list[OutlineNode]:
        """The objects in an array of the top level."""
        return list(self.old.elements(key))


def within(conditions: tuple[Condition, ...], other: tuple[Condition, ...]) -> tuple[Condition, ...]:
    """The blocks around something that stands in some blocks, and is there only if something else is.

    Args:
        conditions: The blocks that it stands in.
        other: Those of the something else.
    """
    return conditions if conditions[: len(other)] == other else (*conditions, *other)
