"""Each row of docs/reference/settings-of-other-supervisors.md, run: the settings that it names do what it says."""

import json
import re
import sys
from pathlib import Path
from typing import NamedTuple

import pytest
from recording import config
from running import Corepilot

from corepilot.testing.running import COMMAND

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "settings-of-other-supervisors.md"
TOUCH = "touch %(dir)s/{}"
TIMES = "echo x >> %(dir)s/runs; test $(wc -l < %(dir)s/runs) -ge {} && echo found"
UNTIL = "until {}; do sleep 0.05; done; echo found"
CLIENT = " ".join(COMMAND)
SOCKET = "--socket %(dir)s/control.socket"
WAIT = "while :; do sleep 0.05; done"


class Tried(NamedTuple):
    """A job, and what tells that a row is right.

    Attributes:
        settings: Of the job.
        script: What it runs, in a shell.
        told: What the log says then.
        top: Settings of the top level.
        stop: It is stopped as soon as the log has this; "" for a job that ends by itself.
        whole: The job has an `exec` of its own.
        others: More jobs.
    """

    settings: str
    script: str
    told: str
    top: str = ""
    stop: str = ""
    whole: bool = False
    others: str = ""


ROWS = {
    "variables of a process": Tried('env: {A: "x"}', "echo A=$A", "A=x"),
    "variables of all": Tried("", "echo A=$A", "A=x", 'env: {A: "x"},'),
    "values from variables": Tried('env: {A: "{{ .GIVEN }}-{{ .NONE | default "y" }}"}', "echo A=$A", "A=x-y"),
    "file of variables": Tried('envFile: "%(dir)s/variables"', "echo A=$A", "A=x"),
    "unset a variable": Tried("env: {GIVEN: null}", "echo GIVEN=${GIVEN-none}", "GIVEN=none"),
    "nothing of the supervisor's own variables": Tried(
        'env: {"*": null, A: "x"}', "echo ${GIVEN-none} $A ${HOME-nor}", "none x nor"
    ),
    "a share of the memory, the number of processors": Tried(
        'env: {A: "{{ memory 66 }}", B: "{{ cpus }}"}', "test $A -gt 0 && test $B -gt 0 && echo found", "found"
    ),
    "working directory": Tried('cwd: "/usr"', "pwd", "/usr"),
    "user": Tried('user: "nobody"', "id -un", "nobody"),
    "group": Tried('user: "nobody:adm"', "id -gn", "adm"),
    "more groups": Tried('user: "nobody", groups: ["adm"]', "id -Gn", "nogroup adm"),
    "umask": Tried('umask: "027"', "umask", "0027"),
    "resource limits": Tried("limits: {nofile: 99}", "ulimit -n", "99"),
    "nice value": Tried("nice: 7", "nice", "7"),
    "out-of-memory score": Tried("oomScoreAdj: 500", "cat /proc/self/oom_score_adj", "500"),
    "a shell runs it": Tried('exec: "echo a b | tr a-z A-Z", shell: true', "", "A B", whole=True),
    "another shell runs it": Tried(
        'exec: "[[ $- == *e* ]] && echo found", shell: ["bash", "-eu", "-c"]', "", "found", whole=True
    ),
    "several of a kind": Tried("replicas: 2", "echo replica $COREPILOT_REPLICA", "replica 2"),
    "the number of each": Tried('replicas: 2, env: {A: "n%i"}', "echo $A-$COREPILOT_REPLICA", "n2-2"),
    "a file, a port, a check for each": Tried(
        'replicas: 2, logging: {file: "%(dir)s/out-%i", both: true}',
        f"echo x; {UNTIL.format('test -s %(dir)s/out-1 && test -s %(dir)s/out-2')}",
        "found",
    ),
    "numbers from elsewhere on, with zeros": Tried(
        'env: {A: "98{{ printf "%02d" 0 }}"}', "echo $A", "9801",
        others='{{ range loop 1 3 }}{name: "w{{ . }}", exec: "printenv A", env: {A: "98{{ printf "%02d" . }}"}},'
        "{{ end }}",
    ),
    "do not start by itself": Tried(
        "autostart: false", "echo up", "waits to be started by hand and keeps corepilot up", stop="keeps corepilot"
    ),
    "standard input": Tried('stdin: {file: "%(dir)s/variables"}', "cat", "A=x"),
    "sockets handed over": Tried('listen: "%(dir)s/socket"', "echo $LISTEN_FDS-$((LISTEN_PID == $$))", "1-1"),
    "who may connect to a socket": Tried(
        'listen: {address: "%(dir)s/socket", owner: "nobody:adm", mode: "0620"}',
        "stat -c %U:%G:%a %(dir)s/socket", "nobody:adm:620",
    ),
    "a socket as standard input": Tried(
        'listen: "%(dir)s/socket", stdin: "socket"',
        'test -S /dev/stdin && test "$(readlink /proc/$$/fd/0)" = "$(readlink /proc/$$/fd/3)" && echo found', "found",
    ),
    "a terminal": Tried("tty: true", "[ -t 0 ] && [ -t 1 ] && echo a terminal", "a terminal"),
    "reload of the process": Tried(
        'reload: {signal: "HUP"}', f"trap 'echo HUP; exit' HUP; corepilot reload-job a & {WAIT}", "HUP"
    ),
    "a group of processes": Tried(
        "", f"until {CLIENT} stop {SOCKET} 'b*'; do :; done; {UNTIL.format('test -e %(dir)s/b')}", "found",
        stop="found", others=f'{{name: "b1", exec: ["sh", "-c", "trap \'{TOUCH.format("b")}; exit\' TERM; {WAIT}"]}}',
    ),
    "stop signal": Tried('stopSignal: "INT"', f"trap 'echo INT; exit' INT; echo up; {WAIT}", "INT", stop="up"),
    "signal the main process only": Tried(
        'stopMode: "process"',
        f"(trap 'echo child' TERM; echo up; {WAIT}) & trap 'kill -9 $!; echo main; exit' TERM; wait",
        "main",
        stop="up",
    ),
    "time until SIGKILL": Tried(
        'killTimeout: "100ms"', f"trap '' TERM; echo up; {WAIT}", "0.1 s after its stop signal", stop="up"
    ),
    "SIGKILL for the group": Tried(
        'killTimeout: "100ms"', f"trap '' TERM; (echo up; {WAIT}) & wait", "0.1 s after its stop signal", stop="up"
    ),
    "output in a file of its own": Tried(
        'logging: {file: {path: "%(dir)s/out"}, both: true}',
        f"echo x; {UNTIL.format('grep -qs x %(dir)s/out')}",
        "found",
    ),
    "errors in another file": Tried(
        'logging: {errorFile: {path: "%(dir)s/err"}}', f"echo x >&2; {UNTIL.format('grep -qs x %(dir)s/err')}", "found"
    ),
    "stdout and stderr together": Tried(
        "logging: {separate: true}", "echo err >&2", "stream=stderr", 'logging: {format: "text"},'
    ),
    "size at which a file is rotated": Tried(
        'logging: {file: {path: "%(dir)s/out", maxSize: 10}, both: true}',
        f"seq 9; {UNTIL.format('test -e %(dir)s/out.1')}",
        "found",
    ),
    "how many old files are kept": Tried(
        'logging: {file: {path: "%(dir)s/out", maxSize: 10, keep: 1}, both: true}',
        f"seq 50; {UNTIL.format('grep -qs 50 %(dir)s/out')}; ls %(dir)s/out.*",
        "%(dir)s/out.1",
    ),
    "output thrown away": Tried('logging: {file: "/dev/null"}', "echo child", "complete"),
    "a time before each line of a file": Tried(
        'logging: {file: {path: "%(dir)s/out", time: true}, both: true}',
        f"echo x; {UNTIL.format('grep -qs T..:..:...*Z.x$ %(dir)s/out')}",
        "found",
    ),
    "output untouched, to standard output": Tried("logging: {raw: true}", "echo ' raw'", "raw"),
    "a prefix for each line": Tried('logging: {prefix: "> "}', "echo x", "> x"),
    "the supervisor's own log": Tried("", "true", "event: {Startup global}", 'logging: {level: "debug"},'),
    "the last lines of a process, and what follows": Tried(
        "", f"echo xyz; {UNTIL.format(f'{CLIENT} logs {SOCKET} | grep -q xyz')}", "found"
    ),
    "what has happened": Tried(
        "", UNTIL.format(f"{CLIENT} events {SOCKET} | grep -q 'startup global'"), "found"
    ),
}  # fmt: skip


def other(script: str, settings: str = "") -> str:
    """A second job."""
    return f'{{name: "b", exec: ["sh", "-c", {json.dumps(script)}], {settings}}}'


ROWS |= {
    "start after another has been started": Tried(
        'dependsOn: ["b"]', UNTIL.format("test -e %(dir)s/b"), "found", others=other(TOUCH.format("b"))
    ),
    "start when another can be used": Tried(
        'dependsOn: {b: "ready"}', "test -e %(dir)s/up && echo found", "found",
        others=other(f"sleep 0.1; {TOUCH.format('up')}; sleep 0.5", 'ready: {file: "%(dir)s/up"}'),
    ),
    "start when another is healthy": Tried(
        'dependsOn: {b: "healthy"}', f"{TOUCH.format('done')}; echo found", "found",
        others=other(UNTIL.format("test -e %(dir)s/done"), 'health: {exec: "true", interval: 1, ttl: 5}'),
    ),
    "start when another has ended with success": Tried(
        'dependsOn: {b: "completed"}', "test -e %(dir)s/done && echo found", "found",
        others=other(f"sleep 0.1; {TOUCH.format('done')}"),
    ),
    "start when another has ended, however": Tried(
        'dependsOn: {b: "ended"}', "test -e %(dir)s/done && echo found", "found",
        'exitStatus: "zero",', others=other(f"sleep 0.1; {TOUCH.format('done')}; exit 3"),
    ),
    "stop in the reverse order": Tried(
        'dependsOn: ["b"]', f"trap 'sleep 0.2; {TOUCH.format('gone')}; exit' TERM; echo up; {WAIT}", "last", stop="up",
        others=other(f"trap 'test -e %(dir)s/gone && echo last; exit' TERM; {WAIT}"),
    ),
    "stop when another stops": Tried(
        'bindsTo: ["b"]', WAIT, "b is no longer started", stop="b is no longer started",
        others=other("sleep 0.2; exit 3", 'restarts: {limit: 1, delay: "1m"}'),
    ),
    "after which ends a restart follows": Tried('restarts: {on: "failure"}', TIMES.format(3), "found"),
    "how many restarts": Tried('restarts: {on: "failure", limit: 2}', TIMES.format(3), "found"),
    "how many restarts in a time": Tried(
        'restarts: {on: "failure", limit: 2, within: "1h"}', TIMES.format(3), "found"
    ),
    "time until a restart": Tried(
        'restarts: {on: "failure", delay: "50ms"}', TIMES.format(2), "restarting in 0.05 s"
    ),
    "how long that grows": Tried(
        'restarts: {on: "failure", delay: "10ms", maxDelay: "15ms"}', TIMES.format(3), "restarting in 0.015 s"
    ),
    "exit statuses of a success": Tried("successStatuses: [0, 3]", "exit 3", "complete"),
    "a restart after a success only": Tried(
        'restarts: {on: "success"}', f"{{ {TIMES.format(3)} && exit 3; }} || true", "found", 'exitStatus: "zero",'
    ),
    "run again and again": Tried(
        'when: {interval: "50ms"}', f"{TIMES.format(3)} || true", "found", stop="found"
    ),
    "everything ends with one": Tried(
        'exitOn: "end"', "exit 0", "stopping: job a has ended with status 0", others=other(WAIT)
    ),
    "a command before each start": Tried('exec: "echo prepared && exec true", shell: true', "", "prepared", whole=True),
    "a command after each end": Tried(
        'when: {any: [{source: "b", each: "exitFailed"}, {source: "b", each: "exitSuccess"}]}',
        "echo after $COREPILOT_EVENT", "after exitSuccess", others=other("true"),
    ),
    "a command before the stop": Tried(
        'when: {source: "b", once: "stopping"}', "echo cleanup", "cleanup", stop="up", others=other(f"echo up; {WAIT}")
    ),
}  # fmt: skip


GOT = UNTIL.format("test -e %(dir)s/b")
TELL = "import os, socket; socket.socket(1, 2).sendto(b'READY=1', chr(0) + os.environ['NOTIFY_SOCKET'][1:])"


def then(code: str, source: str = "a") -> str:
    """A second job that lets the first one go on when it hears an event."""
    return other(TOUCH.format("b"), f'when: {{source: "{source}", once: "{code}"}}')


def checked(health: str, code: str, script: str = GOT) -> Tried:
    """A job that goes on when its check has said so."""
    return Tried(f"health: {{{health}, ttl: 5}}", script, "found", others=then(code))


ROWS |= {
    "ready by a message": Tried(
        "ready: {notify: true}", f'{sys.executable} -c "{TELL}"; {GOT}', "found", others=then("ready")
    ),
    "ready by a descriptor": Tried("ready: {fd: 3}", f"echo >&3; {GOT}", "found", others=then("ready")),
    "ready by a line of output": Tried('ready: {log: "^up$"}', f"echo up; {GOT}", "found", others=then("ready")),
    "ready by a file": Tried(
        'ready: {file: "%(dir)s/up"}', f"{TOUCH.format('up')}; {GOT}", "found", others=then("ready")
    ),
    "started when it has been up for a while": Tried('ready: {after: "100ms"}', GOT, "found", others=then("ready")),
    "time until it has to be ready": Tried(
        'ready: {fd: 3}, readyTimeout: "200ms", restarts: "unlimited"', WAIT, "not ready within 0.2 s",
        stop="not ready within 0.2 s",
    ),
    "a check by a command": checked('exec: "true", interval: 1', "healthy"),
    "what a check's command is started with": Tried(
        'env: {A: "job"}, health: {exec: ["sh", "-c", "echo $A $PWD"], env: {A: "check"}, cwd: "/usr", interval: 1, '
        "ttl: 5}",
        GOT, "check /usr", others=then("healthy"),
    ),
    "a check over HTTP": checked('http: "http://127.0.0.1:1/", interval: 1', "unhealthy"),
    "a check of a port": checked("tcp: 1, interval: 1", "unhealthy"),
    "several checks": Tried(
        'health: [{name: "x", exec: "true", interval: 1, ttl: 5}, {name: "y", exec: "false", interval: 1, ttl: 5}]',
        GOT, "found", others=then("exitFailed", "check.a.y"),
    ),
    "time between checks": checked('exec: "true", interval: 1', "healthy"),
    "time that a check may take": checked('exec: "sleep 9", interval: 1, timeout: "100ms"', "unhealthy"),
    "failures until unhealthy": checked('exec: "false", interval: 1, failures: 2', "unhealthy"),
    "passes until healthy": checked('exec: "true", interval: 1, successes: 2', "healthy"),
    "time in which failures do not count": checked('exec: "false", interval: 1, startPeriod: "1500ms"', "unhealthy"),
    "restart when a check fails": Tried(
        'health: {exec: "false", interval: 1, ttl: 5, onUnhealthy: "restart"}, restarts: 1',
        f"{TIMES.format(2)} || {WAIT}", "found",
    ),
    "everything ends when a check fails": Tried(
        'health: {exec: "false", interval: 1, ttl: 5, onUnhealthy: "restart"}, exitOn: "failure"', WAIT,
        "stopping: job a has ended with status 143", 'exitStatus: "zero",', others=other(WAIT),
    ),
    "what a check is about": checked('exec: "true", interval: 1, level: "alive"', "healthy"),
}  # fmt: skip


def rows() -> dict[str, str]:
    """What each row is about, and its last cell."""
    lines = [line for line in PAGE.read_text().splitlines() if line.startswith("| ")]
    cells = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines[1:]]
    return {first: last for first, *_, last in cells}


def test_each_row_of_the_table_is_run() -> None:
    assert list(rows()) == list(ROWS)


@pytest.mark.parametrize("row", ROWS)
def test_what_a_row_names_does_what_it_says(row: str, tmp_path: Path) -> None:
    settings, script, told, top, stop, whole, others = ROWS[row]
    named = re.findall(r"`([a-zA-Z]+)", rows()[row])
    assert not named or any(name in settings + top + script for name in named), rows()[row]
    (tmp_path / "variables").write_text("A=x\n")
    exec_ = "" if whole else f'exec: ["sh", "-c", {json.dumps(script)}], '
    text = config(f'{{name: "a", {exec_}{settings}}}, {others}', top)
    with Corepilot(text, tmp_path, environment={"GIVEN": "x"}) as corepilot:
        if stop:
            corepilot.until(stop)
            assert corepilot.stop() == 0
        else:
            assert corepilot.wait() == 0
        assert re.search(
            rf" {re.escape(told.replace('%(dir)s', str(tmp_path)))}($|;)", corepilot.output, re.MULTILINE
        ), corepilot.output
        assert "child" not in corepilot.output
