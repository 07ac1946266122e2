"""The main program of version 2 and what stands around it: preStart, coprocesses, preStop, postStop, and the end.

Version 2 ends when its main program ends, or when its preStart fails, with their status: `exitOn` of their jobs.
"""

from corepilot.jobs.environment import command_name
from corepilot.migrate.draft import RAW, Draft
from corepilot.migrate.layout import Piece, command, decide, member, note
from corepilot.migrate.masking import Condition
from corepilot.migrate.names import service_name
from corepilot.migrate.outline import OutlineNode
from corepilot.migrate.reading import through_shell
from corepilot.migrate.services import advertised, is_plain

_STOPPING = (
    "Version 2 ran this at a SIGTERM only, once the services had left the catalog, and waited for it without limit. "
    "This runs before each stop of the program, before its service leaves, for at most the stopTimeout of that job, "
    "else 30 s."
)
_FAILED_START = "This runs also after a preStart that failed, where version 2 ended at once."
_TWINS = (
    "another service has this name, and the catalog shows only one of them, as in version 2: give it a name of its "
    "own, or leave it out"
)


def begin(draft: Draft) -> None:
    """preStart, without whose success version 2 ends."""
    old = draft.old
    for value in old.top("preStart") or old.top("onStart"):
        conditions = old.conditions(value)
        draft.pre_start.append(conditions)
        draft.own.add("exitOn")
        lines = [f'name: "{draft.hooks["preStart"]}",', *member("exec", old.text(value)), 'exitOn: "failure",', *RAW]
        draft.job(conditions, [Piece(conditions, lines)])


def coprocesses(draft: Draft) -> None:
    """What runs beside the main program, and is stopped when that has ended, and postStop as well."""
    old = draft.old
    for number, element in enumerate(draft.elements("coprocesses"), 1):
        conditions = old.conditions(element)
        otherwise = old.program(element, "command") or f"coprocess-{number}"
        name, remarks = draft.names.derived(old, "", old.one(element, "name"), otherwise)
        keys = [
            Piece(conditions, [f"name: {name},"]),
            *old.missing(element, "command=exec"),
            *old.copies(element, "command", "exec"),
            *old.copies(element, "restarts"),
            *draft.after_pre_start(conditions),
            *draft.after_the_end(conditions),
            *old.strangers(element, ("name", "command", "restarts")),
        ]
        draft.job(conditions, keys, remarks)


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
    seen: list[tuple[str, tuple[Condition, ...]]] = []
    if first is None:
        keys = [Piece((), [f'name: "{draft.main}",', *words])]
    else:
        seen.append((draft.main, ()))
        keys = advertised(old, first)
        keys.insert(1, Piece((), words))
    keys += draft.after_pre_start(())
    if draft.program:
        draft.own.add("exitOn")
        keys.append(Piece((), ['exitOn: "end",', *RAW]))
    draft.job((), keys, remarks)
    for element in services:
        conditions = old.conditions(element)
        name = service_name(old, element, "")[0]
        twins = any(name == other and not _exclude(conditions, around) for other, around in seen)
        seen.append((name, conditions))
        remarks = decide(_TWINS) if twins else []
        draft.job(conditions, [*advertised(old, element), *draft.after_pre_start(conditions)], remarks)


def end(draft: Draft) -> None:
    """The hooks: preStop and postStop."""
    old, name = draft.old, draft.hooks["preStop"]
    variable = _pid_variable(draft)
    for value in old.top("preStop"):
        lines = [f'name: "{name}",', *member("exec", _while_it_runs(draft, value, variable))]
        lines += [f'when: {{ source: "{draft.main}", once: "stopping" }},', *RAW]
        when = f"The shell leaves it out unless the program runs: that is when ${variable} is set."
        if not variable:
            when = "It also runs where the program has ended by itself, or was never started."
        conditions = old.conditions(value)
        draft.job(conditions, [Piece(conditions, lines)], note(f"{_STOPPING} {when}"))
    for value in old.top("postStop"):
        lines = [f'name: "{draft.hooks["postStop"]}",', *member("exec", old.text(value))]
        lines += [f'when: {{ source: "{draft.main}", once: "stopped" }},', *RAW]
        conditions = old.conditions(value)
        draft.job(conditions, [Piece(conditions, lines)], note(_FAILED_START) if draft.pre_start else [])


def _pid_variable(draft: Draft) -> str:
    """The variable that is set while the main program runs; "" where the template makes it, or other jobs set it too.

    It is named after the job (`ChildEnvironment.running`), and all checks share one.
    """
    if "{{" in draft.main:
        return ""
    part = command_name(draft.main)
    others = {command_name(name) for name in draft.names if name != draft.main}
    return "" if part in {*others, "CHECK"} else f"CONTAINERPILOT_{part}_PID"


def _while_it_runs(draft: Draft, value: OutlineNode, variable: str) -> str:
    """A command that does nothing unless a variable is set; as it is if there is no variable."""
    if not variable:
        return draft.old.text(value)
    script = f'[ -z \\"${variable}\\" ] || exec {{command}}'
    return through_shell(draft.old, value, draft.hooks["preStop"], script)


def _exclude(one: tuple[Condition, ...], other: tuple[Condition, ...]) -> bool:
    """Whether the template never makes both."""
    return any(block is twin and branch != sibling for block, branch in one for twin, sibling in other)


def _pid_remark(draft: Draft) -> list[str]:
    if "CONTAINERPILOT_APP_PID" not in draft.old.masked.source or command_name(draft.main) == "APP":
        return []
    variable = f"is in ${_pid_variable(draft)}" if _pid_variable(draft) else "has another name"
    return decide(f"this file has $CONTAINERPILOT_APP_PID in it; the pid of the main program {variable} now")


def _address_remark(draft: Draft) -> list[str]:
    if not any(".CONTAINERPILOT_" in word for word in draft.program):
        return []
    return decide(
        "the variables CONTAINERPILOT_… are not there when this file is rendered for the first time; "
        'take them from the environment: ["/bin/sh", "-c", "exec program $CONTAINERPILOT_…_IP"]'
    )
