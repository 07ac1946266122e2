"""PID 1 reaps whatever lands on it, and ends every job when its own supervisor is gone."""

import json
import signal
from collections.abc import Sequence
from pathlib import Path

import pytest
from containers.container import CHECKOUT, Container
from eventually import eventually

ORPHANS = CHECKOUT / "tests" / "integration" / "run_programs" / "orphans.py"
MAIN = '{name: "main", exec: ["sh", "-c", "echo up; exec sleep 1000"]}'
# In another session, deaf to TERM, with a child; its last echo comes when all of it is there.
STUBBORN = """{name: "stubborn", exec: ["setsid", "sh", "-c", "trap '' TERM; sleep 1000 & echo up; wait"]}"""


def killed_orphans(container: Container) -> set[int]:
    """Make orphans by a program that comes from outside, wait until PID 1 has them, and kill them."""
    script = "for _ in $(seq 8); do sleep 1000 >/dev/null 2>&1 & echo $!; done"
    pids = container.execute("sh", "-c", script).stdout.split()
    orphans = {int(pid) for pid in pids}
    assert len(orphans) == 8
    eventually(lambda: orphans <= set(container.children()), message="children of PID 1")
    assert container.execute("kill", "-KILL", *pids).returncode == 0
    return orphans


def test_orphans_of_programs_that_came_from_outside_are_reaped(tmp_path: Path) -> None:
    with Container(f"{{jobs: [{MAIN}]}}", tmp_path) as container:
        container.until("up")
        orphans = killed_orphans(container)
        eventually(lambda: not orphans & set(container.states()), message="nothing is left of them")


def test_orphans_are_reaped_beside_a_wrapped_command(tmp_path: Path) -> None:
    with Container("", tmp_path, args=["corepilot", "--", "sh", "-c", "echo up; exec sleep 1000"]) as container:
        container.until("up")
        orphans = killed_orphans(container)
        eventually(lambda: not orphans & set(container.states()), message="nothing is left of them")
        assert container.stop() == 143


def test_an_entry_point_that_reaps_nothing_keeps_them_as_zombies(tmp_path: Path) -> None:
    """The control for the tests above."""
    with Container("", tmp_path, args=["sleep", "1000"]) as container:
        orphans = killed_orphans(container)
        eventually(lambda: {container.states()[pid] for pid in orphans} == {"Z"}, message="zombies")


def test_an_orphan_from_outside_that_ignores_term_ends_with_the_container(tmp_path: Path) -> None:
    with Container(f"{{jobs: [{MAIN}]}}", tmp_path) as container:
        container.until("up")
        container.execute("sh", "-c", "trap '' TERM; setsid sleep 1000 >/dev/null 2>&1 &")
        assert container.stop() == 0
        assert container.lines[-1].endswith("no process had to be killed")


@pytest.mark.slow
def test_thousands_of_orphans_leave_no_zombie(tmp_path: Path) -> None:
    maker = f'{{name: "maker", exec: ["python3", "-I", "-S", "{ORPHANS}", "1000"]}}'
    with Container(f"{{jobs: [{MAIN}, {maker}]}}", tmp_path) as container:
        container.until("made 1000 orphans")
        eventually(lambda: "Z" not in container.states().values(), message="no zombie")
        assert container.execute("corepilot", "ping").returncode == 0
        assert container.stop() == 0


@pytest.mark.parametrize(("number", "jobs"), [(signal.SIGKILL, (MAIN, STUBBORN)), (signal.SIGSEGV, (MAIN,))])
def test_a_supervisor_killed_from_inside_ends_every_job_with_status_70(
    tmp_path: Path, number: signal.Signals, jobs: Sequence[str]
) -> None:
    with Container(f"{{stopTimeout: 1, jobs: [{', '.join(jobs)}]}}", tmp_path) as container:
        container.until("up", count=len(jobs))
        (supervisor,) = container.children()
        before = set(container.states()) - {1, supervisor}
        assert container.execute("kill", f"-{number}", str(supervisor)).returncode == 0
        assert container.wait() == 70
        assert f"the supervisor (pid {supervisor}) was killed by {number.name}" in container.output
        ended = [line for line in container.lines if " was killed by " in line or " exited with " in line]
        assert all(any(f"process {pid} (" in line for line in ended) for pid in before), container.output


def test_a_job_over_the_containers_memory_is_one_that_failed(tmp_path: Path) -> None:
    jobs = """
        {name: "greedy", exec: "tail /dev/zero"},
        {name: "after", exec: "echo survived", when: {source: "greedy", once: "exitFailed"}},
        {name: "main", exec: "sleep 1000", when: {source: "after", once: "exitSuccess"}},
    """
    with Container(f"{{jobs: [{jobs}]}}", tmp_path, memory_bytes=128 << 20) as container:
        container.until("survived")
        (greedy,) = [job for job in container.status()["jobs"] if job["name"] == "greedy"]
        assert greedy["last_status"] == 137
        assert greedy["trouble"] == "signal: killed by the kernel, because memory ran out"
        assert "greedy exited with error: signal: killed by the kernel, because memory ran out" in container.output
        assert "137 (out of memory)" in container.execute("corepilot", "status", "greedy").stdout
        events = container.execute("corepilot", "events", "-o", "json").stdout.splitlines()
        told = [one["detail"] for one in map(json.loads, events) if (one["code"], one["source"]) == ("error", "greedy")]
        assert told == [greedy["trouble"]]
        (supervisor,) = container.children()
        assert container.execute("kill", "-KILL", str(supervisor)).returncode == 0
        assert container.wait() == 70
        assert "was killed by SIGKILL; memory has run out here, and the kernel has killed 1 so far" in container.output
