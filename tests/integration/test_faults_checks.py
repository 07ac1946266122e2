"""Health checks that hang, fork away, print without end or cannot be started."""

from pathlib import Path

from eventually import eventually
from recording import Record, config, shell
from running import Corepilot, alive

FLOOD_BYTES = 40_000_000


def app(check: str, more: str = "") -> str:
    """A job that lasts, and its health check."""
    return config(
        f'{{name: "app", exec: "sleep 1000", health: {{exec: {check}, interval: 1, ttl: 5, {more}}}}}',
        "stopTimeout: 1,",
    )


def peak_bytes(pid: int) -> int:
    """The most memory that a process has had, as proc(5) shows it."""
    fields = dict(line.split(":") for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return int(fields["VmHWM"].split()[0]) * 1024


def test_a_check_that_ignores_term_is_killed_with_its_children_and_what_left_it_ends_at_the_stop(
    tmp_path: Path,
) -> None:
    away = "setsid sleep 1000 & note away $!"
    check = shell(f"trap '' TERM; note mine $$; sleep 1000 & note mine $!; {away}; note all; wait")
    with Corepilot(app(check, 'timeout: "300ms"'), tmp_path) as corepilot:
        record = Record(corepilot)
        record.until("all")
        corepilot.until("check.app: killing the check: timeout")

        def pids(word: str) -> list[int]:
            return [int(words.split()[1]) for words in record.words if words.startswith(word)]

        mine, fled = pids("mine")[:2], pids("away")[0]
        eventually(lambda: not any(alive(pid) for pid in mine), message="the end of the check's group")
        assert alive(fled)
        assert corepilot.job("app")["state"] == "running"
        assert corepilot.stop() == 0
        eventually(lambda: not alive(fled), message="the end of what left the group")


def test_a_check_that_prints_without_end_fills_neither_memory_nor_log(tmp_path: Path) -> None:
    check = shell(f"yes no line is worth it | head -c {FLOOD_BYTES}; note printed; exit 1")
    with Corepilot(app(check, 'timeout: "20s"'), tmp_path) as corepilot:
        corepilot.until_ready()
        before = peak_bytes(corepilot.supervisor)
        Record(corepilot).until("printed")
        corepilot.until("bytes of output were not logged")
        assert len(corepilot.output) < FLOOD_BYTES / 100
        assert peak_bytes(corepilot.supervisor) - before < FLOOD_BYTES / 4
        eventually(lambda: corepilot.job("app")["health"] == "unhealthy")


def test_a_check_that_cannot_be_started_has_failed_until_it_can(tmp_path: Path) -> None:
    with Corepilot(app('"%(dir)s/check"'), tmp_path) as corepilot:
        corepilot.until_ready()
        pid = corepilot.job("app")["pid"]
        eventually(lambda: corepilot.job("app")["health"] == "unhealthy")
        corepilot.until("cannot start")
        (tmp_path / "ready").write_text("#!/bin/sh\n")
        (tmp_path / "ready").chmod(0o755)
        (tmp_path / "ready").rename(tmp_path / "check")
        eventually(lambda: corepilot.job("app")["health"] == "healthy")
        assert corepilot.job("app")["pid"] == pid
