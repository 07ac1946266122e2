"""What the parts of a conversion share."""

from collections.abc import Sequence

from corepilot.migrate.layout import Piece, nested
from corepilot.migrate.masking import Condition
from corepilot.migrate.outline import Value
from corepilot.migrate.reading import Names, Old

RAW = ["logging: { raw: true },"]
"""Version 2 let the program and the hooks around it write to the container's own streams."""


class Draft:
    """The new file while it is made.

    Args:
        old: The file of version 2.
        program: The main program: the words of the command line. Empty if there is none.

    Attributes:
        jobs: The jobs so far.
        main: The name of the main program's job, in quotes.
        pre_start: The blocks of the template around each preStart.
    """

    def __init__(self, old: Old, program: Sequence[str]) -> None:
        self.old = old
        self.program = program
        self.names = Names()
        self.jobs: list[Piece] = []
        self.main = ""
        self.pre_start: list[tuple[Condition, ...]] = []

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
        when = ['when: { source: "preStart", once: "exitSuccess" },']
        return [
            Piece(conditions if conditions[: len(one)] == one else (*conditions, *one), when) for one in self.pre_start
        ]

    def elements(self, key: str) -> list[Value]:
        """The objects in an array of the top level."""
        return list(self.old.elements(key))
