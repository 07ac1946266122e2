"""`corepilot run` with real processes: exit status, stop, restarts, events, output. As PID 1 too."""

import signal
from collections.abc import Sequence
from pathlib import Path

import pytest
from eventually import eventually
from running import PIDNS, Corepilot, alive

from corepilot.testing.running import COMMAND

HEAD = '{control: {socket: "%(dir)s/control.socket"}, '
PREFIXES = pytest.mark.parametrize("prefix", [(), PIDNS], ids=["child", "pid1"])


FAILS = '{name: "a", exec: ["sh", "-c", "exit 7"]}'
BESIDE = '{name: "beside", exec: "sleep 1000", restarts: "unlimited"}'
HANDLES = '{name: "b", exec: "true", when: {source: "a", once: "exitFailed"}}'
STRAY = """
    {name: "a", exec: ["sh", "-c", "setsid sh -c 'trap \\"\\" TERM; echo stray; sleep 1000' & exit 0"]},
    {name: "b", exec: "sleep 1000"},
"""


B_FAILS = '{name: "b", exec: ["sh", "-c", "echo $$ > %(dir)s/pid; exit 4"]}'
UNTIL_B_HAS_ENDED = "while [ ! -s %(dir)s/pid ] || [ -e /proc/$(cat %(dir)s/pid) ]; do sleep 0.02; done"


def config(jobs: str, more: str = "") -> str:
    return f"{HEAD}{more} jobs: [{jobs}]}}"


# ------------------------------------------------------------------------------------------- exit status, each row
@PREFIXES
@pytest.mark.parametrize(
    ("jobs", "more", "status"),
    [
        ('{name: "a", exec: "true"}', "", 0),
        ('{name: "a", exec: "false"}', "", 1),
        ('{name: "a", exec: ["sh", "-c", "exit 7"]}', "", 7),
        ('{name: "a", exec: ["sh", "-c", "kill -9 $$"]}', "", 137),
        ('{name: "a", exec: ["sh", "-c", "exit 7"]}', 'exitStatus: "zero",', 0),
        ('{name: "a", exec: "/no/such/program"}', "", 127),
        ('{name: "a", exec: "/etc/passwd"}', "", 126),
        (f"{FAILS}, {HANDLES}", "", 0),
        (f'{{name: "a", exec: ["sh", "-c", "{UNTIL_B_HAS_ENDED}; exit 3"]}}, {B_FAILS}', "", 4),
        ('{name: "a", exec: ["sh", "-c", "exit 5"], restarts: 2}', "", 5),
        (f'{{name: "a", exec: ["sh", "-c", "exit 3"], exitOn: "end"}}, {BESIDE}', "", 3),
        (f'{{name: "a", exec: "true", exitOn: "end"}}, {BESIDE}', "", 0),
        (f'{{name: "a", exec: ["sh", "-c", "exit 3"], exitOn: "end"}}, {BESIDE}', 'exitStatus: "zero",', 0),
        (f'{{name: "a", exec: ["sh", "-c", "exit 6"], exitOn: "failure"}}, {BESIDE}', "", 6),
        (f'{{name: "a", exec: ["sh", "-c", "exit 7"], exitOn: "end"}}, {HANDLES}, {BESIDE}', "", 7),
        ('{name: "a", exec: "true", exitOn: "failure"}, {name: "b", exec: ["sh", "-c", "sleep 0.3; exit 4"]}', "", 4),
    ],
)  # fmt: skip
def test_the_exit_status_is_that_of_the_first_job_that_failed_for_good(
    tmp_path: Path, prefix: Sequence[str], jobs: str, more: str, status: int
) -> None:
    with Corepilot(config(jobs, more), tmp_path, prefix=prefix) as corepilot:
        assert corepilot.wait() == status, corepilot.output


@PREFIXES
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_that_was_asked_for_ends_with_status_0(tmp_path: Path, prefix: Sequence[str], number: int) -> None:
    jobs = '{name: "a", exec: ["sh", "-c", "trap \'echo bye; exit 3\' TERM; echo up; while :; do sleep 0.05; done"]}'
    with Corepilot(config(jobs), tmp_path, prefix=prefix) as corepilot:
        corepilot.until("up")
        corepilot.signal(number)
        assert corepilot.wait() == 0
        assert "bye" in corepilot.output
        assert "no process had to be killed" in corepilot.lines[-1]


def test_a_job_that_ignores_its_stop_signal_is_killed_and_named(tmp_path: Path) -> None:
    jobs = '{name: "deaf", exec: ["sh", "-c", "trap \'\' TERM; echo up; while :; do sleep 0.05; done"]}'
    with Corepilot(config(jobs, "stopTimeout: 1,"), tmp_path) as corepilot:
        corepilot.until("up")
        assert corepilot.stop() == 0
        assert "raise stopTimeout" in corepilot.output
        assert "killed: deaf" in corepilot.lines[-1]


def test_a_second_signal_ends_the_waiting(tmp_path: Path) -> None:
    jobs = '{name: "deaf", exec: ["sh", "-c", "trap \'\' TERM; echo up; while :; do sleep 0.05; done"]}'
    with Corepilot(config(jobs, "stopTimeout: 1000,"), tmp_path) as corepilot:
        corepilot.until("up")
        corepilot.signal(signal.SIGTERM)
        corepilot.until("stopping: SIGTERM")
        corepilot.signal(signal.SIGTERM)
        assert corepilot.wait() == 0
        assert "killed: deaf" in corepilot.lines[-1]


def test_a_stop_without_jobs_ends_too(tmp_path: Path) -> None:
    with Corepilot(config(""), tmp_path) as corepilot:
        corepilot.until_ready()
        assert corepilot.stop() == 0


# ------------------------------------------------------------------------------------------------- nothing survives
@PREFIXES
@pytest.mark.parametrize("victim", ["guard", "supervisor"])
def test_no_job_outlives_a_killed_guard_or_supervisor(tmp_path: Path, prefix: Sequence[str], victim: str) -> None:
    script = "trap '' TERM; setsid sh -c 'trap \"\" TERM; echo up; sleep 1000' & echo up; sleep 1000"
    jobs = f'{{name: "a", exec: ["sh", "-c", {script!r}]}}'
    with Corepilot(config(jobs, "stopTimeout: 1,"), tmp_path, prefix=prefix) as corepilot:
        corepilot.until("up", count=2)
        marked = _marked(corepilot.environment["PYTEST_PROCESS_MARK"])
        assert len(marked) >= 5
        import os

        os.kill(getattr(corepilot, victim), signal.SIGKILL)
        corepilot.wait()
        eventually(lambda: not [pid for pid in marked if alive(pid)], message="the end of every process")
        if victim == "supervisor":
            assert corepilot.process.returncode == 70, corepilot.output


def _marked(mark: str) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if f"PYTEST_PROCESS_MARK={mark}".encode() in (entry / "environ").read_bytes().split(b"\0"):
                    found.append(int(entry.name))
            except OSError:
                continue
    return found


@PREFIXES
def test_what_a_job_left_behind_is_ended_at_the_stop(tmp_path: Path, prefix: Sequence[str]) -> None:
    with Corepilot(config(STRAY, "stopTimeout: 1,"), tmp_path, prefix=prefix) as corepilot:
        corepilot.until("stray")
        assert corepilot.stop() == 0
        assert "which a job left behind" in corepilot.output


@pytest.mark.parametrize(("prefix", "orphans"), [((), 1000), (PIDNS, 5000)], ids=["child", "pid1"])
def test_thousands_of_orphans_leave_no_zombie(tmp_path: Path, prefix: Sequence[str], orphans: int) -> None:
    maker = Path(__file__).parent / "run_programs" / "orphans.py"
    exec_ = f'["python3", "-I", "-S", "{maker}", "{orphans}"]'
    jobs = f'{{name: "maker", exec: {exec_}}}, {{name: "b", exec: "sleep 1000"}}'
    with Corepilot(config(jobs), tmp_path, prefix=prefix) as corepilot:
        corepilot.until(f"made {orphans} orphans", deadline_s=60)
        eventually(lambda: corepilot.job("maker")["state"] == "complete")
        pids = eventually(lambda: _children_states(corepilot.supervisor), message="children")
        eventually(lambda: "Z" not in _children_states(corepilot.supervisor).values(), message=str(pids))


def _children_states(pid: int) -> dict[int, str]:
    states = {}
    for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        try:
            states[int(word)] = Path(f"/proc/{word}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            continue
    return states


# ------------------------------------------------------------------------------------------------- jobs and events
def test_events_start_jobs_in_order(tmp_path: Path) -> None:
    jobs = """
        {name: "first", exec: "echo first-ran"},
        {name: "second", exec: "echo second-ran", when: {source: "first", once: "exitSuccess"}},
        {name: "third", exec: "echo third-ran", when: {source: "second", once: "stopped"}},
    """
    with Corepilot(config(jobs), tmp_path) as corepilot:
        assert corepilot.wait() == 0
        words = [line.split()[-1] for line in corepilot.lines if line.endswith("-ran")]
        assert words == ["first-ran", "second-ran", "third-ran"]


def test_sighup_starts_a_signal_job(tmp_path: Path) -> None:
    jobs = '{name: "main", exec: "sleep 1000"}, {name: "hup", exec: "echo hup-ran", when: {source: "SIGHUP"}}'
    with Corepilot(config(jobs), tmp_path) as corepilot:
        corepilot.until_ready()
        for count in (1, 2):
            corepilot.signal(signal.SIGHUP)
            corepilot.until("hup-ran", count=count)


def test_children_get_the_environment_and_what_the_contract_adds(tmp_path: Path) -> None:
    jobs = """
        {name: "my-app", exec: "sleep 1000", port: 80, interfaces: "static:192.0.2.7", health: {interval: 1, ttl: 5}},
        {name: "show", exec: ["sh", "-c", "env"], when: {source: "SIGHUP"}},
    """
    with Corepilot(config(jobs), tmp_path, environment={"ODD": "a=b=c", "PYTHONPATH": "/nowhere"}) as corepilot:
        corepilot.until_ready()
        corepilot.client("env", "ADDED=yes")
        corepilot.signal(signal.SIGHUP)
        corepilot.until("CONTAINERPILOT_PID=")
        corepilot.until(f"CONTAINERPILOT_PID={corepilot.supervisor}")
        corepilot.until(f"CONTAINERPILOT_MY_APP_PID={corepilot.job('my-app')['pid']}")
        for line in ("CONTAINERPILOT_MY_APP_IP=192.0.2.7", "ODD=a=b=c", "PYTHONPATH=/nowhere", "ADDED=yes"):
            corepilot.until(line)


def test_stdin_is_empty_and_signals_are_default(tmp_path: Path) -> None:
    jobs = '{name: "a", exec: ["sh", "-c", "cat; grep -E \'Sig(Blk|Ign)\' /proc/self/status"]}'
    with Corepilot(config(jobs), tmp_path) as corepilot:
        assert corepilot.wait() == 0
        masks = [line.split()[-1] for line in corepilot.lines if "Sig" in line]
        # The C library keeps signals 32 and 33 to itself and leaves them ignored in what it spawns.
        assert [int(mask, 16) & ~0x180000000 for mask in masks] == [0, 0]


# ---------------------------------------------------------------------------------------------------------- output
def test_every_byte_of_output_arrives(tmp_path: Path) -> None:
    jobs = """{name: "a", exec: ["sh", "-c",
        "echo one; echo two >&2; echo; printf 'cr\\\\r\\\\n'; head -c 40000 /dev/zero | tr '\\\\0' x; printf last"]}"""
    with Corepilot(config(jobs), tmp_path) as corepilot:
        assert corepilot.wait() == 0
        texts = [line.split(" ", 3)[3] for line in corepilot.lines if " a " in line]
        assert texts[:4] == ["one", "two", "", "cr"]
        assert "".join(texts[4:]) == "x" * 40000 + "last"


@pytest.mark.parametrize("form", ["default", "text", "json"])
def test_the_three_formats(tmp_path: Path, form: str) -> None:
    more = f'logging: {{format: "{form}", level: "ERROR"}},'
    with Corepilot(config('{name: "a", exec: "echo hello there"}', more), tmp_path) as corepilot:
        assert corepilot.wait() == 0
        (line,) = corepilot.lines
        pid = {"default": " a ", "text": "job=a pid=", "json": '"job":"a","level":"info","msg":"hello there","pid":'}[
            form
        ]
        assert pid in line
        assert "hello there" in line


def test_a_full_stdout_stops_nothing(tmp_path: Path) -> None:
    """Nobody reads corepilot's stdout while a job writes without end: everything else goes on, and a stop ends."""
    import os
    import subprocess

    (tmp_path / "corepilot.json5").write_text(
        config('{name: "loud", exec: "yes"}, {name: "calm", exec: "sleep 1000"}').replace("%(dir)s", str(tmp_path))
    )
    process = subprocess.Popen([*COMMAND, "-c", "corepilot.json5"], cwd=tmp_path, stdout=subprocess.PIPE)
    try:
        from running import cli

        def answered() -> bool:
            answer = cli("status", "-o", "json", "--socket", str(tmp_path / "control.socket"))
            return answer.returncode == 0 and '"dropped_output_bytes": 0' not in answer.stdout

        eventually(answered, message="dropped output and an answer")
        os.kill(process.pid, signal.SIGTERM)
        assert process.wait(20) == 0
    finally:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_standard_descriptors_harm_nothing(tmp_path: Path, closed: str) -> None:
    """A pipe of ours must not become a job's stdout because that number was free."""
    import subprocess

    job = f'{{name: "a", exec: ["sh", "-c", "readlink /proc/self/fd/0 > {tmp_path}/stdin; echo said; exit 3"]}}'
    (tmp_path / "corepilot.json5").write_text(config(job).replace("%(dir)s", str(tmp_path)))
    script = f'exec "$@" -c {tmp_path}/corepilot.json5 {closed}'
    answer = subprocess.run(
        ["sh", "-c", script, "sh", *COMMAND], capture_output=True, text=True, timeout=60, check=False
    )
    assert answer.returncode == 3, answer.stderr
    assert (tmp_path / "stdin").read_text() == "/dev/null\n"
    assert ("said" in answer.stdout) == (">&-" not in closed.replace("2>&-", ""))
