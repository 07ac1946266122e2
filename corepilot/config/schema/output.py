"""The settings of `jobs[].logging` and `jobs[].health.logging`: where output goes, and in which form."""

from collections.abc import Mapping
from typing import Any, ClassVar

from marshmallow import ValidationError, validates_schema

from corepilot.config.diagnostics.complaints import Complaint
from corepilot.config.schema.fields import Flag, Text, Whole
from corepilot.config.schema.sections import Object, Section
from corepilot.config.schema.sizes import Size

OWN = ("separate", "prefix", "structured", "file", "error_file")
FILES = ("file", "error_file")
_KEYS = {"structured": "json", "error_file": "errorFile"}


class FileSection(Section):
    """`logging.file` and `logging.errorFile`."""

    path = Text(
        "the file, which is appended to; relative to corepilot's working directory",
        required=True,
        example="/var/log/app.log",
    )
    max_bytes = Size(
        "size at which it is renamed to `.1`, and what was that to `.2`, before the next line",
        key="maxSize",
        default=10 * 1024 * 1024,
        default_text="10MiB",
        allowed="0: never",
        fills="max_bytes",
    )
    keep = Whole("how many renamed files are kept; of 0 it is emptied", default=5)
    time = Flag("put the time before each line, as the log does", default=False)

    @validates_schema(skip_on_field_errors=False)
    def judge(self, data: dict[str, Any], **_: Any) -> None:
        """A path that is not empty, and a number that is not negative."""
        errors = {}
        if "path" in data and (not data["path"] or "\0" in data["path"]):
            errors["path"] = [Complaint("wrong-value", "it is no path", "name a file")]
        if not 0 <= data.get("keep", 0) <= 1000:
            errors["keep"] = [Complaint("wrong-value", "it is not between 0 and 1000", "write another number")]
        if errors:
            raise ValidationError(errors)


class OwnFile(Object):
    """A file of its own: its path, or an object with more."""

    kind = "text or object"

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> Any:
        given = {"path": value} if isinstance(value, str) else value
        return super()._deserialize(given, attr, data, **kwargs)


class OutputSection(Section):
    """`logging` of a job or of a check."""

    meant: ClassVar = {
        "maxsize": "write it in file: { path: …, maxSize: … }",
        "keep": "write it in file: { path: …, keep: … }",
        "stderr": "write errorFile",
        "stdout": "write file",
        "format": "it is one for the whole log: write logging.format at the top",
        "level": "it is one for the whole log: write logging.level at the top",
    }

    raw = Flag("write to corepilot's own stdout and stderr, not through its log", default=False)
    separate = Flag(
        "tell stdout and stderr apart, as the field `stream`; the order between the two is then that of the reading",
        default=False,
        fills="output.separate",
    )
    prefix = Text("put before each line", default="", default_text="none", fills="output.prefix", example="[app] ")
    structured = Flag(
        "with `logging.format: json`, a line that is a JSON object is passed through as one, under `data`",
        key="json",
        default=False,
        fills="output.structured",
    )
    file = OwnFile(
        "a file of its own for the output, which then is not in the log", FileSection, fills="output.file", default=None
    )
    error_file = OwnFile(
        "one for stderr alone; `file` then holds stdout",
        FileSection,
        key="errorFile",
        fills="output.error_file",
        default=None,
    )
    both = Flag("write what goes to a file to the log as well", default=False, fills="output.both")

    @validates_schema(skip_on_field_errors=False)
    def judge(self, data: dict[str, Any], **_: Any) -> None:
        """What is passed by has no form."""
        useless = [_KEYS.get(name, name) for name in OWN if data.get(name)] if data.get("raw") else []
        if useless:
            rule = f"the command writes past corepilot, so {', '.join(useless)} would have no effect"
            raise ValidationError({"raw": [Complaint("wrong-value", rule, "leave one of them out")]})
