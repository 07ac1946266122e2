"""The way in: render a template, and import the machinery only for a text that is one."""

from __future__ import annotations

from corepilot.gotemplate.source_map import Rendered

TYPE_CHECKING = False  # the typing module would double what importing this package costs
if TYPE_CHECKING:
    from collections.abc import Mapping


def render(text: str, environment: Mapping[str, str]) -> Rendered:
    """Render a template.

    Args:
        text: the template.
        environment: variables by name: the root value, ``.``. It is read, not kept.

    Returns:
        The rendered text, at most 4 MiB as UTF-8, and where its parts came from. Text without an action is returned
        as it is, of whatever size.

    Raises:
        TemplateError: the text is no template, an action of it fails, or it asks for more than limits.py allows.
    """
    if "{{" not in text:
        return Rendered(text, [(0, 0, -1, ())], text)
    from corepilot.gotemplate.execute import execute

    return execute(text, environment)
