"""The main program of version 2 and what stands around it: preStart, coprocesses, preStop, postStop, and the end.

Version 2 ends when its main program ends, or when its preStart fails, with their status: `exitOn` of their jobs.
"""

from corepilot.jobs.environment import command_name
from corepilot.migrate.draft import RAW, Draft
from corepilot.migrate.layout import Piece, command, decide, member, note, quoted
from corepilot.migrate.reading import service_name
from corepilot.migrate.services import advertised, is_plain


def begin(draft: Draft) -> None:
    """preStart, without whose success version 2 ends."""
    old = draft.old
    draft.names.give("preStart")
    for value in old.top("preStart") or old.top("onStart"):
        conditions = old.conditions(value)
        draft.pre_start.append(conditions)
        lines = ['name: "preStart",', *member("exec", old.text(value)), 'exitOn: "failure",', *RAW]
        draft.job(conditions, [Piece(conditions, lines)])


def coprocesses(draft: Draft) -> None:
    """What runs beside the main program."""
    old = draft.old
    for number, element in enumerate(draft.elements("coprocesses"), 1):
        conditions = old.conditions(element)
        otherwise = old.program(element, "command") or f"coprocess-{number}"
        name = draft.names.derived(old, "", old.one(element, "name"), otherwise)
        keys = [
            Piece(conditions, [f"name: {name},"]),
            *old.copies(element, "command", "exec"),
            *old.copies(element, "restarts"),
            *draft.after_pre_start(conditions),
            *old.strangers(element, ("name", "command", "restarts")),
        ]
        draft.job(conditions, keys)


def main_program(draft: Draft) -> None:
    """The program of the command line, advertised as the first service if that is always there; then the others."""
    old = draft.old
    services = draft.elements("services")
    first = services.pop(0) if services and is_plain(old, services[0]) else None
    remarks = []
    if not draft.program:
        remarks += decide("no main program was given: add it as exec, or name it behind -- when you call migrate")
    else:
        remarks += _pid_remark(draft)
    words = [f"exec: {command(draft.program)},"] if draft.program else []
    remarks += _address_remark(draft)
    if first is None:
        draft.main = quoted(draft.names.give("main"))
        keys = [Piece((), [f"name: {draft.main},", *words])]
    else:
        name = service_name(old, first, "")[0]
        draft.main = f'"{draft.names.give(name)}"'
        keys = advertised(old, first)
        keys.insert(1, Piece((), words))
    keys += draft.after_pre_start(())
    if draft.program:
        keys.append(Piece((), ['exitOn: "end",', *RAW]))
    draft.job((), keys, remarks)
    for element in services:
        conditions = old.conditions(element)
        draft.job(conditions, [*advertised(old, element), *draft.after_pre_start(conditions)])


def end(draft: Draft) -> None:
    """The hooks: preStop and postStop."""
    old, main = draft.old, draft.main
    stopping = note(
        "Version 2 ran this at a SIGTERM only, once the services had left the catalog, and waited for it without "
        "limit. This runs before each stop of the program, before its service leaves, for at most the stopTimeout "
        "of that job, else 30 s."
    )
    for key, code, remark in (("preStop", "stopping", stopping), ("postStop", "stopped", [])):
        draft.names.give(key)
        for value in old.top(key):
            conditions = old.conditions(value)
            lines = [f'name: "{key}",', *member("exec", old.text(value))]
            lines += [f'when: {{ source: {main}, once: "{code}" }},', *RAW]
            draft.job(conditions, [Piece(conditions, lines)], remark)


def _pid_remark(draft: Draft) -> list[str]:
    variable = f"CONTAINERPILOT_{command_name(draft.program[0])}_PID"
    if variable == "CONTAINERPILOT_APP_PID":
        return []
    text = f"Its pid is in ${variable}; version 2 called that CONTAINERPILOT_APP_PID."
    used = "CONTAINERPILOT_APP_PID" in draft.old.masked.source
    return decide(f"{text} This file has the old name in it.") if used else note(text)


def _address_remark(draft: Draft) -> list[str]:
    if not any(".CONTAINERPILOT_" in word for word in draft.program):
        return []
    return decide(
        "the variables CONTAINERPILOT_… are not there when this file is rendered for the first time; "
        'take them from the environment: ["/bin/sh", "-c", "exec program $CONTAINERPILOT_…_IP"]'
    )
