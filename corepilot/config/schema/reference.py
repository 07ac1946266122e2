"""docs/reference/configuration.md, made from the schemas: `python -m corepilot.config.schema.reference > PAGE`."""

import json
import sys
from collections.abc import Iterator

from corepilot.config.diagnostics.problems import CODES
from corepilot.config.schema.fields import Duration, Setting, Whole
from corepilot.config.schema.sections import Array, Object, Section, default_of
from corepilot.config.schema.settings import RootSection
from corepilot.model.event import CODES as EVENTS

_HEAD = """\
# Configuration

<!-- Made by `python -m corepilot.config.schema.reference`. Change the schemas, not this page. -->

A Go template over the environment, which makes JSON5: one file, or
[several documents](../how-to/configuration-sources.md), which are merged. Keys of the top level are written exactly as
here; below it upper and lower case are the same. `null` is like no key. Unknown keys are errors. Numbers, booleans and
texts become one another where possible, as in ContainerPilot 3 ([contract](containerpilot-contract.md), section 3.2).

A **duration** is a whole number of seconds, or a text with units: `500ms`, `10s`, `1m30s`, `2h` (also `us`, `ns`).
A **command** is a text, split at single spaces without any quoting, or an array of the program and its arguments.
An **interface specification** is `inet`, `inet6`, `eth0`, `eth0:inet`, `eth0:inet6`, `eth0[1]`, a network such as
`10.0.0.0/8`, or `static:192.0.2.1`; the first one that matches any address wins.

The file may be a pipe, such as `/dev/stdin`: it is read until it is closed, for 8 seconds at most. A reload reads it
again, and judges what there is then.

`corepilot check FILE` judges a file by these rules and says what is wrong, all at once.
"""

_TEMPLATE = """\
## The template

It is Go's [text/template](https://pkg.go.dev/text/template) with all its functions, and these. A variable is
`{{ .NAME }}`, empty if it is not set; one with an odd name is `{{ index . "A-B" }}`.

| function | result |
|---|---|
| `{{ .NAME \\| default "x" }}` | the value, or `x` if it is empty |
| `{{ env "NAME" }}` | the value; empty if it is not set |
| `{{ .NAMES \\| split "," }}` | an array of texts, of the trimmed value; for `range` and `join` |
| `{{ .NAMES \\| split "," \\| join " " }}` | one text |
| `{{ .NAME \\| replaceAll "from" "to" }}` | every `from` replaced, literally |
| `{{ .NAME \\| regexReplaceAll "^v(.*)" "$1" }}` | every match replaced (RE2) |
| `{{ range loop 3 }}`, `{{ range loop 1 .LAST }}` | 0, 1, 2; from 1 to before the second, up or down |
| `{{ memory 66 }}` | 66 percent of the memory that the container may use, in MiB |
| `{{ cpus }}` | how many processors it may use, at least 1 |
"""

_RENDER = """\
## The templates of `render`

They are in the same language, see the same variables, and look at watches as well
([how to](../how-to/render-a-file.md)). A watch is named by its `name`, or by what it watches.

| what | is |
|---|---|
| `service "app"` | an **instance** for each that is passing, sorted by id |
| `key "app/limit"` | what a key holds; an error if there is no such key |
| `keyOrDefault "app/limit" "10"`, `keyExists "app/limit"` | the same with a default; whether there is such a key |
| `tree "app"`, `ls "app"` | an **entry** for each key behind a prefix, sorted; `ls`: without a further slash |
| `.watches.app`, `index .watches "my-app"` | the same of any watch; nothing for a key that does not exist |
| `.Tags \\| contains "blue"` | whether a list has an element, or a text a part |

An instance has `.ID`, `.Name`, `.Address`, `.Port`, `.HostPort` (an IPv6 address in brackets) and `.Tags`; an entry has
`.Key` (without the prefix), `.Path` (the whole key) and `.Value`.
"""

_CATALOG = """\
## The catalog

`discovery` names a backend and its options: `discovery: { backend: "embedded", path: "/srv/catalog" }`, or only a name:
`discovery: "embedded"`. `consul` is the short form for the backend `consul`. Only one of the two may be given. Without
either, or with `false`, services are not advertised and there can be no watches. `--discovery` and
`$COREPILOT_DISCOVERY`, `NAME[:OPTION=VALUE[,OPTION=VALUE]]` or `none`, win over the file. The options of a backend:
`corepilot plugins info NAME`.
"""


def page() -> str:
    """The whole page."""
    parts = [_HEAD, _TEMPLATE, "## Top level\n", _table(RootSection())]
    for path, section in _sections(RootSection(), ""):
        parts += [f"## `{path}`\n", _table(section)]
    events = ", ".join(f"`{name}`" for name in sorted(EVENTS))
    parts.append(_RENDER)
    parts += [f"## Events\n\nWhat `once` and `each` take: {events}.\n", _CATALOG, _codes()]
    return "\n".join(parts)


def _sections(section: Section, prefix: str) -> Iterator[tuple[str, Section]]:
    """The sections below one, each with its path, in the order of their definition."""
    for key, field in section.keys().items():
        path, inner = prefix + key, field
        while isinstance(inner, Array):
            path, inner = f"{path}[]", inner.element
        if isinstance(inner, Object):
            yield path, inner.section
            yield from _sections(inner.section, f"{path}.")


def _table(section: Section) -> str:
    lines = ["| key | type | default | meaning |", "|---|---|---|---|"]
    lines += [
        f"| `{key}` | {_type(field)} | {_default(field)} | {_meaning(field)} |" for key, field in section.keys().items()
    ]
    return "\n".join(lines) + "\n"


def _type(field: Setting) -> str:
    unit = field.metadata["unit"]
    return f"{field.kind}, {unit}" if unit and not isinstance(field, Duration) else field.kind


def _default(field: Setting) -> str:
    if field.required:
        return "**required**"
    if field.metadata["default_text"]:
        return str(field.metadata["default_text"])
    default = default_of(field)
    if default is None or default == ():
        return "none"
    return f"`{default if isinstance(default, str) and default else json.dumps(default)}`"


def _meaning(field: Setting) -> str:
    text = str(field.metadata["help"])
    allowed = [str(field.metadata["allowed"])] if field.metadata["allowed"] else []
    if isinstance(field, Whole | Duration):
        if field.minimum is not None and field.maximum is not None:
            allowed.insert(0, f"{field.minimum:g} to {field.maximum:g}")
        elif field.minimum is not None:
            allowed.insert(0, f"at least {field.minimum:g}{'s' if isinstance(field, Duration) else ''}")
    if allowed:
        text += "; " + "; ".join(allowed)
    if field.metadata["example"]:
        text += f"; example: `{field.metadata['example']}`"
    return text.replace("|", "\\|")


def _codes() -> str:
    lines = [
        "## Codes of problems\n",
        "What `corepilot check -o json` calls `code`.\n",
        "| code | meaning |",
        "|---|---|",
    ]
    lines += [f"| `{code}` | {meaning} |" for code, meaning in CODES.items()]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.stdout.write(page())
