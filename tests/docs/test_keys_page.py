"""The keys that docs/authors/backends.md adds to the notebook pass the suite of keys."""

import importlib
import re
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from corepilot.discovery.backend import Backend, facet
from corepilot.testing.backends import KeySuite, context

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOK = ROOT / "examples" / "plugins" / "corepilot-notebook"
SECTION = (
    (ROOT / "docs" / "authors" / "backends.md").read_text().partition("\n## Keys and locks\n")[2].partition("\n## ")[0]
)
IN_THE_CLASS, KEYS = re.findall(r"^```python\n(.*?)^```$", SECTION, re.MULTILINE | re.DOTALL)


def module(name: str, text: str) -> ModuleType:
    made = ModuleType(name)
    exec(compile(text, f"{name} of backends.md", "exec"), vars(made))  # what the page shows, and nobody else's text
    return made


@pytest.fixture(scope="module")
def notebook() -> Iterator[tuple[type[Any], type[Backend]]]:
    """Its options and the backend, with the keys that the page adds; what was imported for it is forgotten again."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(NOTEBOOK))
        options = importlib.import_module("corepilot_notebook.plugin").Options
        backend = importlib.import_module("corepilot_notebook.backend").NotebookBackend
        sys.modules["corepilot_notebook.keys"] = module("corepilot_notebook.keys", KEYS)
        methods: dict[str, Any] = {"facet": facet}
        exec(compile(textwrap.dedent(IN_THE_CLASS), "backends.md", "exec"), methods)  # as above
        yield options, type("NotebookWithKeys", (backend,), {"keys": methods["keys"]})
        for name in [one for one in sys.modules if one.partition(".")[0] == "corepilot_notebook"]:
            del sys.modules[name]


class TestKeysOfTheNotebook(KeySuite):
    capabilities = frozenset({"services", "register", "watch", "keys"})

    @pytest.fixture(autouse=True)
    def _notebook(self, tmp_path: Path, notebook: tuple[type[Any], type[Backend]]) -> None:
        options, self.kind = notebook
        self.options = options(path=str(tmp_path / "notebook.json"), look_s=0.02)

    def client(self) -> Backend:
        return self.kind(self.options, context())
