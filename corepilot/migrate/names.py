"""Names: of services, which others look for, and of jobs, each of which has one of its own."""

from collections.abc import Iterator

from corepilot.config.schema.names import is_service_name
from corepilot.migrate.errors import MigrationError
from corepilot.migrate.layout import decide, note, quoted
from corepilot.migrate.outline import OutlineNode
from corepilot.migrate.reading import DYNAMIC, Version2File


class Names:
    """Names of jobs, each given once."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def __iter__(self) -> Iterator[str]:
        return iter(self._taken)

    def keep(self, name: str) -> None:
        """Take a name out of those that are given; it may be out already."""
        self._taken.add(name)

    def give(self, wanted: str) -> str:
        """The name, with a number behind it if it is taken."""
        name, number = wanted, 2
        while name in self._taken:
            name, number = f"{wanted}-{number}", number + 1
        self._taken.add(name)
        return name

    def derived(
        self, old: Version2File, prefix: str, value: OutlineNode | None, otherwise: str
    ) -> tuple[str, list[str]]:
        """The text of a name that is made of another one, and a remark where that was taken.

        The text is in quotes, with the template that is in it.

        Args:
            old: The file.
            prefix: What stands before it.
            value: The other name, if there is one.
            otherwise: What it is called if not.
        """
        meaning = old.meaning(value) if value is not None else None
        if value is not None and meaning is DYNAMIC:
            return f'"{prefix}{old.inner(value)}"', []
        wanted = prefix + str(meaning or otherwise)
        name = self.give(wanted)
        # A name that nobody chose need not be explained.
        remarks = note(f"Version 2 calls this {wanted}, and another job has that name.") if meaning else []
        return quoted(name), remarks if name != wanted else []


def service_name(old: Version2File, element: OutlineNode, what: str) -> tuple[str, list[str]]:
    """The name of a service without its quotes, and remarks where version 3 does not allow it.

    Args:
        old: The file.
        element: The service or backend.
        what: Who has to change with it.
    """
    value = old.one(element, "name")
    if value is None:
        raise MigrationError("cannot convert this: it has no name", element.start)
    name = old.meaning(value)
    if name is DYNAMIC:
        return old.inner(value), []
    name = str(name)
    if is_service_name(name):
        return name, []
    mended = "".join(char if char.isascii() and char.isalnum() else "-" for char in name)
    mended = mended[:1].lower() + mended[1:]
    if not is_service_name(mended):
        mended = f"s-{mended}"
    remark = f"version 3 does not allow the name {quoted(name)}: it is {quoted(mended)} here, so {what}"
    return mended, decide(remark)
