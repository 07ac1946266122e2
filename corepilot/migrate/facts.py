"""What is known of a file of version 3 that loads: as it is written, as it is meant, and where things stand."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from corepilot.config.diagnostics.documents import SourceDocument
from corepilot.config.diagnostics.source_map import Path, SourceMap, path_text
from corepilot.config.schema.sections import load
from corepilot.config.schema.settings import RootSection
from corepilot.config.text.json5 import parse
from corepilot.config.text.json5_document import Json5Error
from corepilot.gotemplate import TemplateError, render


@dataclass(frozen=True, slots=True)
class Location:
    """Where a difference shows: `path` is "" for the whole file, `line` and `column` are 0 for it."""

    path: str
    line: int
    column: int


class Facts:
    """A file of version 3.

    Args:
        name: The file as the user named it.
        text: Its text.
        environment: For the template.

    Attributes:
        written: The top level as it is written.
        data: What is valid of it, by the attributes of the schema.
    """

    def __init__(self, name: str, text: str, environment: Mapping[str, str]) -> None:
        self.text = text
        self.environment = environment
        self.written: dict[str, Any] = {}
        self.data: dict[str, Any] = {}
        self._places: SourceMap | None = None
        try:
            rendered = render(text, environment)
            document = parse(rendered.text)
        except (TemplateError, Json5Error):
            return  # the loader says it better
        if document.root.kind == "object":
            self.written = document.root.plain()
            self.data = load(RootSection(), self.written)[0]
            self._places = SourceMap([SourceDocument(name, text, rendered)], document.root, environment)

    @property
    def jobs(self) -> list[tuple[int, dict[str, Any]]]:
        """The valid part of each job, with its index. What is not in it has its default."""
        return [(index, job) for index, job in enumerate(self.data.get("jobs") or ()) if job]

    @property
    def watches(self) -> list[tuple[int, dict[str, Any]]]:
        """The same of the watches."""
        return [(index, watch) for index, watch in enumerate(self.data.get("watches") or ()) if watch]

    @property
    def catalog(self) -> bool:
        """Whether there is a catalog."""
        found = self.data.get("discovery"), self.data.get("consul")
        return any(one is not None and one is not False for one in found)

    def when(self, job: Mapping[str, Any], key: str) -> Any:
        """A setting of a job's `when`, or None."""
        return (job.get("when") or {}).get(key)

    def place(self, path: Path) -> Location:
        """Where a key stands."""
        if self._places is None or not path:
            return Location(path_text(path), 0, 0)
        found = self._places.on(path, "source", "")
        return Location(path_text(path), found.line, found.column)
