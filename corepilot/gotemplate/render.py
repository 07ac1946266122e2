"""The way in: render a template, and import the machinery only for a text that is one."""

from __future__ import annotations

from corepilot.gotemplate.source_map import Rendered

TYPE_CHECKING = False  # the typing module would double what importing this package costs
if TYPE_CHECKING:
    from collections.abc import Mapping

    from corepilot.gotemplate.mentions import Mention
    from corepilot.gotemplate.values import Watches


def render(text: str, environment: Mapping[str, str], watches: Watches | None = None) -> Rendered:
    """Render a template.

    Args:
        text: the template.
        environment: variables by name: the root value, ``.``. It is read, not kept.
        watches: what watches have found, for the template of a file: ``.watches``.

    Returns:
        The rendered text, at most 4 MiB as UTF-8, and where its parts came from. Text without an action is returned
        as it is, of whatever size.

    Raises:
        TemplateError: the text is no template, an action of it fails, or it asks for more than limits.py allows.
        UnansweredError: it looks at a watch of which nothing is known yet.
    """
    if "{{" not in text:
        return Rendered(text, [(0, 0, -1, ())], text)
    from corepilot.gotemplate.execute import execute

    return execute(text, environment, watches)


def check(text: str) -> list[Mention]:
    """See whether a text is a template, without executing it.

    Returns:
        The watches that it names.

    Raises:
        TemplateError: it is no template, or names a function that there is not.
    """
    if "{{" not in text:
        return []
    from corepilot.gotemplate.execute import parsed
    from corepilot.gotemplate.mentions import mentions

    return mentions(text, parsed(text))
