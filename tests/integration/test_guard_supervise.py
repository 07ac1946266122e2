"""The supervisor's guard with real processes: statuses, signals, stops that fail, crashes, and what they leave behind.

A job's pid, as announced, is the one in its own PID namespace, which is also the one the guard prints.
"""

import contextlib
import fcntl
import os
import random
import signal
import subprocess
import time
from typing import Any

import pytest
from eventually import eventually
from guarding import Running, children_of, program, state

FORWARDED = [signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2, signal.SIGQUIT]
STUBBORN = "daemon,ignore"
both = pytest.mark.parametrize("as_pid_1", [False, True], ids=["plain", "pid1"])


def supervised(scenario: str, *arguments: object, as_pid_1: bool = False, **popen: Any) -> Running:
    return Running(program("supervised", scenario, *arguments), as_pid_1=as_pid_1, **popen)


def up(run: Running, jobs: int) -> list[str]:
    """Wait until the supervisor and its jobs are up; return the jobs' pids."""
    pids: list[str] = []
    is_up = False
    lines = run.lines()
    while not (is_up and len(pids) == jobs):
        word, _, rest = next(lines).partition(" ")
        is_up |= word == "up"
        if word == "job":
            pids.append(rest)
    return pids


# --- an end in order -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("as_pid_1", [False, True], ids=["plain", "pid1"])
@pytest.mark.parametrize("code", [0, 1, 2, 64, 70, 143, 255])
def test_the_status_is_the_supervisors(code: int, *, as_pid_1: bool) -> None:
    with supervised("returns", code, as_pid_1=as_pid_1) as run:
        assert run.status() == code
        assert run.stderr() == ""


@pytest.mark.parametrize(
    ("scenario", "argument", "status", "stderr"),
    [
        ("returns", 256, 70, ""),
        ("returns", -1, 70, ""),
        ("exits", 9, 9, ""),
        ("exits", "none", 0, ""),
        ("exits", "text", 1, "sorry\n"),
    ],
)
def test_other_ways_to_leave(scenario: str, argument: object, status: int, stderr: str) -> None:
    with supervised(scenario, argument) as run:
        assert run.status() == status
        assert run.stderr() == stderr


@both
def test_leftovers_of_an_end_in_order_are_ended_and_the_status_stays(*, as_pid_1: bool) -> None:
    with supervised("leaves", STUBBORN, "daemon,obey", as_pid_1=as_pid_1) as run:
        run.announced("term")
        assert run.status() == 6
        assert run.alive() == []
        assert run.stderr() == ""


# --- the supervisor's birth ------------------------------------------------------------------------------------------


def test_the_supervisor_is_born_clean() -> None:
    read_end, write_end = os.pipe()
    inherited: dict[str, Any] = {
        "pass_fds": [read_end],
        "preexec_fn": lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN),
    }
    with supervised("born", **inherited) as run:
        # SIGTERM at the guard's death, a subreaper, leader of its session; what Python ignores is ignored.
        assert run.announced("born") == f"15 1 True {sorted(map(int, (signal.SIGPIPE, signal.SIGXFSZ)))}"
        assert run.announced("descriptors") == "['0', '1', '2', '3']"  # 3 is the listing's own
        assert run.status() == 0
    os.close(read_end)
    os.close(write_end)


def test_a_term_waits_until_the_supervisor_can_take_it() -> None:
    with supervised("held") as run:
        run.announced("up")
        run.send(signal.SIGTERM)
        assert run.announced("handled") == "15"
        assert run.status() == 0


@both
def test_each_forwarded_signal_arrives_once(*, as_pid_1: bool) -> None:
    with supervised("records", as_pid_1=as_pid_1) as run:
        run.announced("up")
        for number in [*FORWARDED, signal.SIGTERM]:
            run.send(number)
            assert run.announced("signal") == str(int(number))
        run.send(signal.SIGINT)
        assert list(run.lines()) == [f"signal {signal.SIGINT:d}"]
        assert run.status() == 3


def test_other_signals_are_kept_from_the_supervisor() -> None:
    with supervised("records") as run:
        run.announced("up")
        for number in (signal.SIGWINCH, signal.SIGTSTP, signal.SIGTTOU, signal.SIGPIPE, signal.SIGALRM, signal.SIGIO):
            run.send(number)
        run.send(signal.SIGINT)
        assert list(run.lines()) == [f"signal {signal.SIGINT:d}"]
        assert run.status() == 3


# --- the guard's own death -------------------------------------------------------------------------------------------


def test_the_supervisor_learns_that_the_guard_was_killed() -> None:
    with supervised("orphaned") as run:
        assert run.announced("up").endswith(" False")
        run.send(signal.SIGKILL)
        assert run.announced("lost") == "15 True"
        eventually(lambda: run.alive() == [])


# --- a stop that does not begin --------------------------------------------------------------------------------------


@both
@pytest.mark.parametrize("scenario", ["sleeps", "spins"])
def test_a_blocked_supervisor_is_killed_and_its_jobs_are_ended(scenario: str, *, as_pid_1: bool) -> None:
    with supervised(scenario, STUBBORN, "session,obey", as_pid_1=as_pid_1) as run:
        stubborn, obedient = up(run, 2)
        run.send(signal.SIGTERM)
        assert run.announced("term") == f"{obedient} 1"
        assert run.status() == 70
        assert run.alive() == []
        first, *others = run.stderr().splitlines()
        assert "did not begin to stop within 1 s of SIGTERM: killed" in first
        assert "it was busy with plugin 'slow', hook poll; ending the 2 processes it leaves" in first
        assert len(others) == 2
        assert f"process {stubborn} (python" in run.stderr()
        assert "was killed by SIGKILL" in run.stderr()
        assert f"process {obedient} (python" in run.stderr()
        assert "exited with status 4" in run.stderr()


def test_without_a_guard_a_blocked_supervisor_does_not_stop() -> None:
    """The control for the test above: the supervisor itself ignores a SIGTERM while it is blocked."""
    with supervised("spins") as run:
        (supervisor,) = up_pids(run)
        os.kill(supervisor, signal.SIGTERM)
        eventually(lambda: "0000000000004000" not in pending(supervisor), message="the signal was taken")
        assert state(supervisor) in {"R", "S"}
        assert run.process.poll() is None


def up_pids(run: Running) -> list[int]:
    return [int(run.announced("up"))]


def pending(pid: int) -> str:
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        return next(line for line in file if line.startswith("ShdPnd"))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stopped_supervisor_counts_as_silent(number: int) -> None:
    with supervised("dies") as run:
        pid = int(run.announced("up"))
        os.kill(pid, signal.SIGSTOP)
        eventually(lambda: state(pid) == "T")
        run.send(number)
        assert run.status() == 70
        assert f"within 1 s of {signal.Signals(number).name}: killed" in run.stderr()
        assert run.stderr().endswith("it leaves no processes\n")


@both
def test_a_supervisor_with_a_busy_event_loop_stops_as_any_other(*, as_pid_1: bool) -> None:
    """Longer than the guard waits for one that says nothing."""
    with Running(program("busy", 2.5), as_pid_1=as_pid_1) as run:
        run.announced("up")
        wanted = [signal.SIGHUP, signal.SIGUSR1, signal.SIGTERM]
        for number in wanted:
            run.send(number)
        assert run.status() == 3
        said = list(run.lines())
        assert {line for line in said if line.startswith("signal")} == {f"signal {int(number)}" for number in wanted}
        assert "child 7" in said
        assert run.stderr() == ""


def test_a_plugin_that_keeps_the_event_loop_busy_does_not_hold_up_the_stop() -> None:
    """The control for the test above, and P03 of the fault table."""
    with Running(program("busy", 300, "plugin 'slow', hook poll")) as run:
        run.announced("up")
        run.send(signal.SIGTERM)
        assert run.status() == 70
        assert "s of SIGTERM: killed; it was busy with plugin 'slow', hook poll" in run.stderr()


def test_a_second_request_to_stop_is_delivered_too_and_a_storm_is_two() -> None:
    with Running(program("busy", 1.5)) as run:
        run.announced("up")
        for _ in range(300):
            run.send(signal.SIGTERM)
            run.send(signal.SIGHUP)
        assert run.status() == 3
        said = list(run.lines())
        assert said.count("stopping") == 1
        assert said.count(f"signal {signal.SIGTERM:d}") <= 2
        assert said.count(f"signal {signal.SIGHUP:d}") <= 2


def test_a_kernel_that_tells_of_no_parents_death_is_said_and_survived() -> None:
    _, *words = program("supervised", "returns", 7)
    with Running(program("refused", *words)) as run:
        assert run.status() == 7
        assert run.stderr() == (
            "corepilot: cannot watch for the parent's death: prctl(1): Operation not permitted; "
            "nothing ends this process when its parent is killed\n"
        )


def test_a_traceback_does_not_wait_for_a_reader_that_stands_still() -> None:
    read_end, write_end = os.pipe()
    with supervised("raises", STUBBORN, stderr=write_end) as run:
        run.announced("job")
        fcntl.fcntl(write_end, fcntl.F_SETPIPE_SZ, 4096)
        assert run.status() == 70
        assert run.alive() == []
    os.close(write_end)
    os.close(read_end)


# --- a stop that does not end ----------------------------------------------------------------------------------------


@both
def test_an_overrun_ends_with_the_announced_status(*, as_pid_1: bool) -> None:
    with supervised("overruns", "30:1", "0.2:9", as_pid_1=as_pid_1, env={"JOBS": STUBBORN}) as run:
        assert run.status() == 9
        assert run.alive() == []
        assert "did not end by the deadline it had announced for its stop: killed" in run.stderr()


def test_a_later_announcement_extends_the_deadline() -> None:
    with supervised("extends") as run:
        assert run.status() == 8
        assert run.stderr() == ""


# --- a crash ---------------------------------------------------------------------------------------------------------


@both
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV, signal.SIGABRT])
def test_nothing_survives_a_killed_supervisor(number: int, *, as_pid_1: bool) -> None:
    jobs = [STUBBORN, "session,ignore,child", "ignore,stop", "daemon,ignore,child", "obey"]
    with supervised("dies", *jobs, as_pid_1=as_pid_1) as run:
        up(run, 7)
        kill_supervisor(run, number)
        assert run.status() == 70
        assert run.alive() == []
        first, *others = run.stderr().splitlines()
        assert f"was killed by {signal.Signals(number).name}" in first
        assert "; it was busy with plugin 'statsd', hook flush; ending the " in first
        assert len(others) == 7
        assert sum("was killed by SIGKILL" in line for line in others) == 6


@both
@pytest.mark.parametrize(
    ("locked", "processes"),
    [
        (["session,ignore,child"], 2),
        (["session,obey,apart"], 2),
        (["session,ignore,marked", "daemon,ignore,child,marked"], 3),
    ],
    ids=["group", "left the group", "orphans"],
)
def test_what_runs_under_a_lock_ends_in_time_and_the_rest_keeps_its_own(
    locked: list[str], processes: int, *, as_pid_1: bool
) -> None:
    with supervised("holds", "session,note", *locked, as_pid_1=as_pid_1, env={"LOCK": "3"}) as run:
        up(run, 1 + processes)
        around = len(run.alive()) - 1 - processes - 1  # without the supervisor and the jobs
        kill_supervisor(run, signal.SIGKILL)
        eventually(lambda: len(run.alive()) == around + 1, message="only the job without the lock is left")
        assert "SIGTERM now, SIGKILL in 600 s, of what runs under a lock in " in run.stderr()
        assert ("exited with status 4" in run.stderr()) == ("obey" in locked[0])
        run.send(signal.SIGTERM)
        assert run.status() == 70
        assert run.alive() == []


def test_the_end_of_a_promise_ends_what_has_left_the_group_too() -> None:
    """The supervisor hangs, and is the parent of all that has lost its own."""
    jobs = ["session,ignore,apart,marked", "daemon,ignore,child,marked"]
    with supervised("holds", "session,note", *jobs, env={"LOCK": "0.5"}) as run:
        up(run, 5)
        eventually(lambda: len(run.alive()) == 3, message="guard, supervisor, and the job without the lock")
        assert "neither renewed a lock nor ended what runs under it in time: killed 1 process group" in run.stderr()
        run.send(signal.SIGTERM)
        run.announced("term")
        run.send(signal.SIGTERM)
        assert run.status() == 70


def test_what_a_dead_job_has_left_in_other_sessions_ends_at_the_end_of_a_promise() -> None:
    jobs = ["session,marked", "daemon,ignore,child,marked"]
    with supervised("holds", "session,note", *jobs, env={"LOCK": "0.5", "DEAD": "1"}) as run:
        up(run, 4)
        eventually(lambda: len(run.alive()) == 3, message="guard, supervisor, and the job without the lock")
        run.send(signal.SIGTERM)
        run.announced("term")
        run.send(signal.SIGTERM)
        assert run.status() == 70


def kill_supervisor(run: Running, number: int) -> None:
    """From outside, by the pid it has here."""
    (supervisor,) = children_of(run.pid)
    os.kill(supervisor, number)


def test_without_the_guard_they_survive() -> None:
    with supervised("dies", STUBBORN, "session,ignore") as run:
        up(run, 2)
        run.send(signal.SIGKILL)
        eventually(lambda: len(run.alive()) == 2, message="guard and supervisor are gone, the jobs are not")


def test_a_crash_that_leaves_nothing_is_one_line() -> None:
    with supervised("dies") as run:
        pid = run.announced("up")
        kill_supervisor(run, signal.SIGKILL)
        assert run.status() == 70
        cause = (
            f"corepilot: the supervisor (pid {pid}) was killed by SIGKILL; it was busy with plugin 'statsd', hook flush"
        )
        assert run.stderr() == f"{cause}; it leaves no processes\n"


def test_an_uncaught_error_ends_the_jobs() -> None:
    with supervised("raises", STUBBORN) as run:
        assert run.status() == 70
        assert run.alive() == []
        assert "LookupError: a bug\n" in run.stderr()
        assert "exited with status 70; ending the process it leaves" in run.stderr()


@pytest.mark.parametrize(
    ("status", "announced", "result"),
    [(0, None, 70), (3, None, 70), (0, 0, 0), (3, 3, 3), (0, 3, 70), (70, None, 70)],
)
def test_leaving_unannounced_is_a_crash(status: int, announced: int | None, result: int) -> None:
    environment = {"STATUS": str(status)} | ({} if announced is None else {"ANNOUNCED": str(announced)})
    with supervised("vanishes", STUBBORN, env=environment) as run:
        assert run.status() == result
        assert run.alive() == []
        assert ("busy with plugin 'rude', hook start" in run.stderr()) == (result == 70)


def test_jobs_are_asked_once_also_with_their_children() -> None:
    with supervised("dies", "session,obey,child", env={"BUDGET": "60"}) as run:
        pids = set(up(run, 2))
        kill_supervisor(run, signal.SIGKILL)
        assert run.status() == 70
        assert sorted(run.lines()) == sorted(f"term {pid} 1" for pid in pids)
        assert run.stderr().count("exited with status 4") == 2


def test_a_stopped_job_gets_its_term_and_is_continued() -> None:
    with supervised("dies", "session,obey", env={"BUDGET": "60"}) as run:
        (job,) = up(run, 1)
        os.kill(int(job), signal.SIGSTOP)
        eventually(lambda: state(int(job)) == "T")
        kill_supervisor(run, signal.SIGKILL)
        assert run.announced("term") == f"{job} 1"
        assert run.status() == 70


@both
def test_a_term_during_the_ending_brings_the_kill(*, as_pid_1: bool) -> None:
    with supervised("dies", "session,note", as_pid_1=as_pid_1, env={"BUDGET": "600"}) as run:
        up(run, 1)
        kill_supervisor(run, signal.SIGKILL)
        run.announced("term")
        run.send(signal.SIGTERM)
        assert run.status() == 70
        assert "was killed by SIGKILL" in run.stderr().splitlines()[-1]


def test_the_report_is_bounded() -> None:
    with supervised("dies", *["session,ignore,child"] * 12) as run:
        up(run, 24)
        kill_supervisor(run, signal.SIGKILL)
        assert run.status() == 70
        lines = run.stderr().splitlines()
        assert len(lines) == 22
        assert lines[-1] == "corepilot: and 4 more processes have ended"


@both
@pytest.mark.parametrize("how", ["session,runaway", "daemon,ignore,runaway", "session,ignore,runaway-session"])
def test_a_job_that_forks_away_for_ever_is_caught(how: str, *, as_pid_1: bool) -> None:
    with supervised("dies", how, as_pid_1=as_pid_1) as run:
        up(run, 1)
        kill_supervisor(run, signal.SIGKILL)
        assert run.status(60) == 70
        assert run.alive() == []


# --- what must not hold the guard up ---------------------------------------------------------------------------------


def test_a_full_stderr_does_not_hold_the_guard_up() -> None:
    read_end, write_end = os.pipe()
    fcntl.fcntl(write_end, fcntl.F_SETPIPE_SZ, 4096)
    os.set_blocking(write_end, False)
    assert os.write(write_end, b"x" * 4096) == 4096
    with pytest.raises(BlockingIOError):
        os.write(write_end, b"x")
    os.set_blocking(write_end, True)
    with supervised("sleeps", STUBBORN, stderr=write_end) as run:
        up(run, 1)
        run.send(signal.SIGTERM)
        assert run.status() == 70
        assert run.alive() == []
    os.close(write_end)
    assert os.read(read_end, 8192) == b"x" * 4096
    os.close(read_end)


def test_messages_reach_a_pipe_a_socket_and_a_file_whole() -> None:
    with supervised("dies", stderr=subprocess.PIPE) as run:
        run.announced("up")
        kill_supervisor(run, signal.SIGKILL)
        assert run.status() == 70
        assert run.process.stderr
        assert run.process.stderr.read().endswith(b"it leaves no processes\n")
        run.process.stderr.close()


@both
def test_a_storm_of_signals_is_one_stop(*, as_pid_1: bool) -> None:
    with supervised("stops", as_pid_1=as_pid_1) as run:
        run.announced("up")
        pid = run.pid
        with contextlib.suppress(ProcessLookupError):  # it has ended, and unshare has collected it
            for round_ in range(5000):
                os.kill(pid, (signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1)[round_ % 3])
        assert run.status() == 0
        assert [line.split()[0] for line in run.lines()] == ["stopping"]
        assert run.stderr() == ""


@both
@pytest.mark.slow
def test_nothing_survives_a_supervisor_killed_at_any_moment(*, as_pid_1: bool) -> None:
    moments = random.Random(11)
    for _ in range(6):
        with supervised("dies", STUBBORN, "session,ignore,child", "daemon,obey", as_pid_1=as_pid_1) as run:
            run.announced("armed")
            (supervisor,) = eventually(lambda run=run: children_of(run.pid))  # type: ignore[misc]
            pause = time.monotonic() + moments.uniform(0, 0.3)
            while time.monotonic() < pause:
                pass
            os.kill(supervisor, signal.SIGKILL)
            assert run.status() == 70
            assert run.alive() == []


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_a_term_at_any_early_moment_ends_everything(seed: int) -> None:
    moments = random.Random(seed)
    for _ in range(10):
        with supervised("stops", "daemon,obey", "session") as run:
            pause = time.monotonic() + moments.uniform(0, 0.15)
            while time.monotonic() < pause:
                pass
            run.send(signal.SIGTERM)
            status = run.status()
            # Killed by the signal before the first line of ours had run; otherwise a stop like any other.
            assert status in {-signal.SIGTERM, 0}
            assert run.alive() == []
            assert ("armed" in list(run.lines())) or status == -signal.SIGTERM


@pytest.mark.slow
def test_a_term_to_an_armed_pid_1_is_never_lost() -> None:
    moments = random.Random(7)
    for _ in range(10):
        with supervised("stops", "daemon,obey", "session", as_pid_1=True) as run:
            run.announced("armed")
            pause = time.monotonic() + moments.uniform(0, 0.05)
            while time.monotonic() < pause:
                pass
            run.send(signal.SIGTERM)
            assert run.status() == 0
            assert run.alive() == []
