"""What the machine runs out of, and what happens to clocks, signals and processes from outside."""

import ast
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from eventually import eventually
from recording import Record, config, goes_on, shell
from running import Corepilot, alive

ROOT = Path(__file__).resolve().parents[2]
BEAT = f'{{name: "beat", exec: {shell("note beat")}, when: {{interval: "100ms"}}}}'
STRANGER = 1_000_000 + os.getpid()
"""A user id that nobody else has, other test runs included: a limit on processes is for all processes of a user."""

AS_STRANGER = (
    *("setpriv", f"--reuid={STRANGER}", f"--regid={STRANGER}", "--clear-groups"),
    # The Python that runs the tests may be in a home that others cannot enter.
    *("--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"),
)


@contextmanager
def limited(pid: int, name: str, most: int, user: Sequence[str] = ()) -> Iterator[None]:
    """A running process may have no more than this of something; the limit as it was is put back afterwards."""
    command = [*user, "prlimit", f"--pid={pid}"]
    shown = [*command, f"--{name}", "--output=SOFT", "--noheadings"]
    before = subprocess.run(shown, capture_output=True, text=True, timeout=20, check=True).stdout.strip()
    subprocess.run([*command, f"--{name}={most}:"], timeout=20, check=True)
    yield
    subprocess.run([*command, f"--{name}={before}:"], timeout=20, check=True)


@pytest.fixture
def public() -> Iterator[Path]:
    """A directory of the stranger's; pytest's cannot be reached by others."""
    directory = Path(tempfile.mkdtemp())
    directory.chmod(0o755)
    os.chown(directory, STRANGER, STRANGER)
    yield directory
    shutil.rmtree(directory)


def test_without_descriptors_jobs_run_on_and_what_could_not_be_started_is_started_later(tmp_path: Path) -> None:
    jobs = f'{BEAT}, {{name: "app", exec: {shell("note app; exec sleep 1000")}}}'
    with Corepilot(config(jobs), tmp_path) as corepilot:
        record = Record(corepilot)
        goes_on(record)
        app = corepilot.job("app")["pid"]
        before = len(os.listdir(f"/proc/{corepilot.supervisor}/fd"))
        with limited(corepilot.supervisor, "nofile", 4):
            corepilot.until("beat: cannot start 'sh': Too many open files; it is started later")
        goes_on(record)
        assert corepilot.job("app")["pid"] == app
        eventually(lambda: len(os.listdir(f"/proc/{corepilot.supervisor}/fd")) <= before + 2)
        assert corepilot.stop() == 0


def test_without_processes_jobs_run_on_and_what_could_not_be_started_is_started_later(public: Path) -> None:
    jobs = f'{BEAT}, {{name: "app", exec: "sleep 1000"}}'
    with Corepilot(config(jobs), public, prefix=AS_STRANGER) as corepilot:
        record = Record(corepilot)
        goes_on(record)
        app = corepilot.job("app")["pid"]
        with limited(corepilot.supervisor, "nproc", 1, AS_STRANGER):
            corepilot.until("beat: cannot start 'sh': Resource temporarily unavailable; it is started later")
            eventually(lambda: corepilot.job("beat")["state"] == "backoff")
            assert corepilot.client("ping").returncode == 0
        goes_on(record)
        assert corepilot.job("app")["pid"] == app
        assert corepilot.stop() == 0


BOMB = """
import os, time
while True:
    try:
        os.fork()
    except OSError:
        time.sleep(0.01)
"""


def test_a_fork_bomb_does_not_keep_corepilot_from_answering_and_is_ended_by_the_stop(public: Path) -> None:
    most = 60
    (public / "bomb.py").write_text(BOMB)
    jobs = f"""{{name: "app", exec: "sleep 1000"}},
        {{name: "bomb", exec: ["{sys.executable}", "-I", "-S", "%(dir)s/bomb.py"]}}"""
    with Corepilot(
        config(jobs, "stopTimeout: 1,"), public, prefix=(*AS_STRANGER, "prlimit", f"--nproc={most}")
    ) as corepilot:
        corepilot.until_ready()
        eventually(lambda: len(processes_of(STRANGER)) > most - 20, message="nearly as many processes as there may be")
        assert corepilot.client("ping").returncode == 0
        assert corepilot.job("app")["state"] == "running"
        assert corepilot.stop() == 0
        assert processes_of(STRANGER) == []


def processes_of(user: int) -> list[int]:
    """The processes of a user, threads not counted, zombies left out."""
    found = []
    for entry in os.listdir("/proc"):
        with suppress(OSError):
            if entry.isdigit() and os.stat(f"/proc/{entry}").st_uid == user and alive(int(entry)):
                found.append(int(entry))
    return found


def test_a_log_file_that_is_moved_away_again_and_again_loses_no_line(tmp_path: Path) -> None:
    script = "n=0; while ! test -e enough; do n=$((n+1)); echo line $n end; done; note $n"
    more = 'logging: {output: "%(dir)s/log"},'
    with Corepilot(config(f'{{name: "a", exec: {shell(script)}}}', more), tmp_path) as corepilot:
        for number in range(100):
            eventually((tmp_path / "log").exists, pause_s=0.001)
            (tmp_path / "log").rename(tmp_path / f"log.{number}")
            corepilot.signal(signal.SIGUSR1)
        (tmp_path / "enough").touch()
        assert corepilot.wait() == 0
        (last,) = Record(corepilot).words
    logged = [line for file in tmp_path.glob("log*") for line in file.read_text().splitlines()]
    found = [int(line.split()[-2]) for line in logged if line.endswith(" end")]
    assert sorted(found) == list(range(1, int(last) + 1))


def test_a_rain_of_signals_costs_no_status_and_no_signal_that_counts(tmp_path: Path) -> None:
    jobs = f"""{BEAT}, {{name: "fails", exec: ["sh", "-c", "exit 7"], when: {{interval: "20ms"}}}},
        {{name: "odd", exec: {shell("note odd")}, when: {{source: "fails", each: "exitSuccess"}}}},
        {{name: "hup", exec: {shell("note hup")}, when: {{source: "SIGHUP"}}}}"""
    with Corepilot(config(jobs), tmp_path) as corepilot:
        record = Record(corepilot)
        goes_on(record)
        guard, supervisor = corepilot.guard, corepilot.supervisor
        for _ in range(2000):
            for pid in (guard, supervisor):
                for number in (signal.SIGWINCH, signal.SIGURG, signal.SIGCONT, signal.SIGCHLD):
                    os.kill(pid, number)
        corepilot.signal(signal.SIGHUP)
        record.until("hup")
        goes_on(record)
        assert corepilot.job("fails")["last_status"] == 7
        assert record.count("odd") == 0
        assert corepilot.stop() == 0


def test_no_interval_is_measured_by_the_clock_that_people_set() -> None:
    """What uses the wall clock is named here: it writes times for people, or a timestamp."""
    stamps = {
        "corepilot/output/log.py",
        "corepilot/output/records.py",
        "corepilot/observers/facts.py",
        "corepilot/testing/observers.py",
        "corepilot/telemetry/jsonl/sink.py",
        "corepilot/cli/containerpilot.py",
        "corepilot/cli/tails.py",  # since when lines are shown
        "corepilot/jobs/results.py",
        "corepilot/supervisor/tails.py",
        "corepilot/discovery/embedded/inspection.py",  # beside ctime, which is of the same clock; wrong, it reads anew
        "corepilot/discovery/embedded/lock_store.py",  # the first token, so that tokens grow when a disk is wiped
        "plugins/otlp/corepilot_otlp/sink.py",
        "plugins/prometheus/corepilot_prometheus/runtime.py",
    }
    wall = {"time", "time_ns", "now", "utcnow", "today"}
    found = set()
    for tree in ("corepilot", "backends", "plugins"):
        for file in (ROOT / tree).rglob("*.py"):
            for node in ast.walk(ast.parse(file.read_text())):
                if isinstance(node, ast.Attribute) and node.attr in wall and isinstance(node.value, ast.Name):
                    if node.value.id in {"time", "datetime", "date"}:
                        found.add(str(file.relative_to(ROOT)))
                elif isinstance(node, ast.ImportFrom) and node.module == "time" and wall & {n.name for n in node.names}:
                    found.add(str(file.relative_to(ROOT)))
    assert found <= stamps


def test_a_log_that_cannot_be_written_is_told_once_and_written_again_when_it_can(tmp_path: Path) -> None:
    (tmp_path / "log").symlink_to("/dev/full")
    jobs = f'{BEAT}, {{name: "loud", exec: {shell("echo said")}, when: {{interval: "20ms"}}}}'
    with Corepilot(config(jobs, 'logging: {output: "%(dir)s/log"},'), tmp_path) as corepilot:
        record = Record(corepilot)
        goes_on(record)
        corepilot.until("No space left on device")
        goes_on(record)
        assert corepilot.status()["dropped_output_bytes"] > 0
        (tmp_path / "log").unlink()
        corepilot.signal(signal.SIGUSR1)
        eventually(lambda: (tmp_path / "log").read_text().count("said") > 3 if (tmp_path / "log").exists() else 0)
        assert corepilot.output.count("No space left on device") == 1
        assert corepilot.stop() == 0


def test_jobs_beyond_the_limit_of_descriptors_that_was_given_run_and_have_that_limit(tmp_path: Path) -> None:
    """300 pipes do not go under 256; corepilot takes the hard limit for itself, and jobs get what was given."""
    jobs = ", ".join(f'{{name: "j{number}", exec: "sleep 1000"}}' for number in range(300))
    shows = f'{{name: "shows", exec: {shell("note $(ulimit -Sn) $(ulimit -Hn) $(cat /proc/self/oom_score_adj)")}}}'
    adjustment = int(Path("/proc/self/oom_score_adj").read_text())
    with Corepilot(config(f"{jobs}, {shows}"), tmp_path, prefix=["prlimit", "--nofile=256:8192"]) as corepilot:
        record = Record(corepilot)
        record.until(f"256 8192 {min(adjustment + 100, 1000)}", deadline_s=30)
        states = {job["state"] for job in corepilot.until_ready().status()["jobs"] if job["name"] != "shows"}
        assert states == {"running"}
        for pid in (corepilot.guard, corepilot.supervisor):
            assert int(Path(f"/proc/{pid}/oom_score_adj").read_text()) == adjustment
        assert corepilot.stop() == 0


@contextmanager
def starved(pid: int, share: float) -> Iterator[None]:
    """A process gets so much of a processor core, as under a quota: it is stopped and continued 20 times a second."""
    done = threading.Event()

    def starve() -> None:
        with suppress(ProcessLookupError):
            while True:
                os.kill(pid, signal.SIGSTOP)
                over = done.wait(0.05 * (1 - share))
                os.kill(pid, signal.SIGCONT)
                if over or done.wait(0.05 * share):
                    return

    thread = threading.Thread(target=starve)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


@pytest.mark.slow
def test_a_stop_while_jobs_are_started_at_a_tenth_of_a_core_is_a_stop_like_any_other(tmp_path: Path) -> None:
    """Starting them takes longer than the second that the guard waits for a supervisor that says nothing."""
    jobs = ", ".join(f'{{name: "j{number}", exec: {shell("note started; exec sleep 1000")}}}' for number in range(150))
    hook = f'{{name: "hook", exec: {shell("note hook")}, when: {{source: "j0", once: "stopping"}}}}'
    with Corepilot(config(f"{jobs}, {hook}"), tmp_path) as corepilot:
        record = Record(corepilot)
        with starved(corepilot.supervisor, 0.1):
            record.until("started", deadline_s=60)
            corepilot.signal(signal.SIGTERM)
            assert corepilot.wait(60) == 0
        assert record.count("hook") == 1
        assert "corepilot ends after" in corepilot.output
        assert "within" not in corepilot.output


def test_a_proc_that_goes_away_later_costs_no_stop(tmp_path: Path) -> None:
    jobs = f'{BEAT}, {{name: "app", exec: "sleep 1000"}}'
    with Corepilot(config(jobs), tmp_path, prefix=["unshare", "--mount"]) as corepilot:
        record = Record(corepilot)
        goes_on(record)
        command = ["nsenter", f"--target={corepilot.supervisor}", "--mount", "umount", "--lazy", "/proc"]
        subprocess.run(command, timeout=20, check=True)
        goes_on(record)
        assert corepilot.client("reload").returncode == 0
        assert corepilot.stop() == 0
        assert "Traceback" not in corepilot.output
        assert "bug" not in corepilot.output
