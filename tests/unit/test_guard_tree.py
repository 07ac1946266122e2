"""Whom a signal goes to, and the report of what has ended."""

import subprocess
import sys
from typing import Any

from corepilot.guard.tree import Report, _target


def test_a_child_in_our_own_group_is_signalled_alone_and_others_with_their_group() -> None:
    ways: list[tuple[dict[str, Any], int]] = [({}, 1), ({"process_group": 0}, -1), ({"start_new_session": True}, -1)]
    for options, sign in ways:
        with subprocess.Popen([sys.executable, "-I", "-c", "input()"], stdin=subprocess.PIPE, **options) as process:
            assert _target(process.pid) == sign * process.pid
            process.communicate(b"\n")


def test_a_process_that_does_not_exist_is_its_own_target() -> None:
    with subprocess.Popen([sys.executable, "-I", "-c", ""]) as process:
        process.wait()
        assert _target(process.pid) == process.pid


def test_a_report_names_twenty_and_counts_the_rest() -> None:
    said: list[str] = []
    report = Report(said.append)
    for pid in range(1, 24):
        report.add(pid, "worker", 0)
    report.close()
    assert len(said) == 21
    assert said[0] == "process 1 (worker) exited with status 0"
    assert said[-1] == "and 3 more processes have ended"


def test_a_short_report_has_no_count() -> None:
    said: list[str] = []
    report = Report(said.append)
    report.add(5, "worker", 15)
    report.close()
    assert said == ["process 5 (worker) was killed by SIGTERM"]
