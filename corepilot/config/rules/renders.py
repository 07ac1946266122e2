"""The files that are made from what is watched: each template is read and parsed here, when the configuration is."""

import os
from collections.abc import Sequence
from typing import Any

from corepilot.config.diagnostics.complaints import Complaint, did_you_mean, shown
from corepilot.config.diagnostics.source_map import Path
from corepilot.config.diagnostics.verdict import Verdict
from corepilot.config.rules.elements import elements_of
from corepilot.config.rules.host import Host
from corepilot.config.schema.filling import made
from corepilot.config.schema.names import is_catalog_name
from corepilot.config.schema.renders import mode_of
from corepilot.gotemplate import TemplateError, check
from corepilot.gotemplate.mentions import ANY_KIND, Mention
from corepilot.model.configuration import Render, Watch
from corepilot.model.trigger import OnEvent

TEMPLATE_MAX_BYTES = 1024 * 1024


def renders_of(
    entries: Any, written: Any, watches: Sequence[Watch], verdict: Verdict, host: Host
) -> list[tuple[int, Render]]:
    """The files that can be made, each with its index.

    Args:
        entries: The valid settings of each.
        written: As they were written.
        watches: The watches.
        verdict: Takes what is wrong.
        host: The machine.
    """
    found: list[tuple[int, Render]] = []
    for index, entry, _ in elements_of(entries, written, ("render",), verdict):
        path: Path = ("render", index)
        template = _template(entry, path, watches, verdict, host)
        if "to" not in entry:
            continue
        name = entry.get("name") or os.path.basename(entry["to"]).lstrip(".").partition(".")[0]
        if not is_catalog_name(name):
            rule = f"its events would be those of {shown(f'render.{name}')}, which is no name"
            verdict.complain((*path, "to"), Complaint("bad-name", rule, 'add a name: "upstreams"'))
            continue
        _judge_twins(name, entry["to"], path, found, verdict)
        when = entry.get("when") or {}
        event = OnEvent(when["each"], when["source"]) if {"each", "source"} <= when.keys() else None
        mode = mode_of(entry.get("mode"))
        found.append((index, made(Render, entry, name=name, template=template, mode=mode, when=event)))
    return found


def _template(entry: Any, path: Path, watches: Sequence[Watch], verdict: Verdict, host: Host) -> str:
    """The text of a template; "" where there is none that can be used."""
    inline, file = entry.get("template"), entry.get("template_file")
    if inline is not None and file is not None:
        return ""
    where: Path = (*path, "template" if file is None else "templateFile")
    text: str = inline or ""
    if file is not None:
        text, fault = host.text_of(file, TEMPLATE_MAX_BYTES)
        if fault:
            verdict.depends(where, Complaint("template-file", f"cannot read {shown(file)}: {fault}", "check the path"))
            return ""
    try:
        named = check(text)
    except TemplateError as error:
        rule, _, hint = error.message.rpartition("; ")
        rule = f"{_place(file, error.line, error.column)}: {rule or hint}"
        verdict.complain(where, Complaint("template", rule, hint if rule else "see there"))
        return ""
    for mention in named:
        _judge_mention(mention, _place(file, mention.line, mention.column), where, watches, verdict)
    return text


def _place(file: str | None, line: int, column: int) -> str:
    return f"{file}:{line}:{column}" if file else f"its line {line}, column {column}"


def _judge_mention(mention: Mention, place: str, where: Path, watches: Sequence[Watch], verdict: Verdict) -> None:
    """Refuse a name that is no watch's: the template would fail as soon as it came there."""
    kind, name = mention.kind, mention.name
    of_kind = [watch for watch in watches if kind in {ANY_KIND, watch.kind}]
    names = [watch.name for watch in of_kind] + ([watch.target for watch in of_kind] if kind else [])
    if name in names:
        return
    rule = f"{place}: no watch{f' of a {kind}' if kind else ''} is called {shown(name)}"
    known = ", ".join(dict.fromkeys(names))
    hint = did_you_mean(name, names) or (f"there are: {known}" if known else f'add watches: [{{ name: "{name}" }}]')
    verdict.complain(where, Complaint("unknown-watch", rule, hint))


def _judge_twins(name: str, to: str, path: Path, others: Sequence[tuple[int, Render]], verdict: Verdict) -> None:
    for index, other in others:
        if other.to == to:
            rule = f"render[{index}] makes the same file"
            verdict.complain((*path, "to"), Complaint("render-conflict", rule, "leave one of them out"))
        elif other.name == name:
            rule = f"render[{index}] is called {shown(name)} as well"
            verdict.complain(path, Complaint("same-name", rule, "give it a name of its own: name"))
