"""A configuration in an environment variable: `env:NAME`. For platforms that hand over settings and no files."""

from corepilot.sources.paths import printable
from corepilot.sources.text import too_long
from corepilot.sources.values import MAX_BYTES, SourceContext, SourceError, SourceText


class EnvironmentSource:
    """The source for variables."""

    def read(self, location: str, context: SourceContext) -> SourceText:
        """Return what a variable of the jobs' environment holds; after `corepilot env`, the new value.

        Args:
            location: `env:NAME`.
            context: The deadline is of no use: nothing is waited for.

        Raises:
            SourceError: There is no such variable, it is empty, it is too long, or it is not UTF-8.
        """
        label = printable(location)
        name = location.partition(":")[2]
        if not name:
            raise SourceError(f"cannot read configuration {label!r}: it names no variable; write env:NAME")
        text = context.environment.get(name, "")
        if not text.strip():
            why = "is empty" if name in context.environment else "is not set"
            hint = "set it to the text of a configuration"
            raise SourceError(f"cannot read configuration {label!r}: ${printable(name)} {why}; {hint}")
        try:
            size = len(text.encode("utf-8"))
        except UnicodeEncodeError as error:  # bytes that are not UTF-8 are surrogate escapes, as in os.environ
            why = f"it is not UTF-8 at character {error.start + 1}"
            raise SourceError(f"cannot read configuration {label!r}: {why}; set it again") from None
        if size > MAX_BYTES:
            raise too_long(label, f"{size} bytes")
        return SourceText(text, label)
