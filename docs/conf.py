"""The documentation as a site: `tools/docs` builds it, and no link may lead nowhere.

The pages are read in the checkout too, so they link to files beside docs/ as well: those links become the file's path.
"""

from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.transforms.post_transforms import SphinxPostTransform

ROOT = Path(__file__).resolve().parents[1]

project = "corepilot"
copyright = "the corepilot authors"  # noqa: A001  - Sphinx's name for it
extensions = ["myst_parser"]
source_suffix = {".md": "markdown"}
html_theme = "furo"
html_title = "corepilot"
myst_heading_anchors = 4
# The index lists its pages in words of its own; a configuration with a template in it is no JSON5 yet.
suppress_warnings = ["toc.not_included", "misc.highlighting_failure"]


class FilesBesideDocs(SphinxPostTransform):
    """A link to a file of the checkout that is no page: it is shown as its path; one that is not there is an error."""

    default_priority = 8  # before MyST looks for it among the pages

    def run(self, **_: Any) -> None:
        """Change the links of one page."""
        page = Path(self.env.doc2path(self.env.docname)).parent
        for link in list(self.document.findall(lambda node: "reftarget" in getattr(node, "attributes", {}))):
            target = str(link["reftarget"]).partition("#")[0]
            found = (page / target).resolve()
            file = found if found.exists() else found.with_name(f"{found.name}.md")  # MyST leaves out a page's ending
            beside = file.is_relative_to(ROOT) and not file.is_relative_to(ROOT / "docs")
            if target and beside and file.exists():
                link.replace_self(nodes.literal(text=str(file.relative_to(ROOT))))


def setup(app: Sphinx) -> None:
    """Called by Sphinx."""
    app.add_post_transform(FilesBesideDocs)
