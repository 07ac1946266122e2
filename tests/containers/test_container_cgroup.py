"""A container that may write to its control group, as engines have it with --privileged, or delegated to its user."""

import json
from pathlib import Path

import pytest
from containers.container import Container
from eventually import eventually

# In a session of its own, with an empty environment, its parents dead, deaf to TERM: nothing else leads to it.
DAEMON = "trap '' TERM; echo daemon $$; exec sleep 1001"
JOB = f"""(setsid env -i /bin/sh -c "{DAEMON}" &); exec sleep 1000"""
TEXT = f"""{{
  stopTimeout: 1,
  jobs: [
    {{name: "main", exec: "sleep 1000"}},
    {{name: "old", exec: ["sh", "-c", {json.dumps(JOB)}], killTimeout: "300ms", cgroup: true}},
  ],
}}"""
DELEGATE = """
cd /sys/fs/cgroup && chown 1000 . cgroup.procs cgroup.threads cgroup.subtree_control && cd / || exit
exec setpriv --reuid 1000 --regid 1000 --clear-groups corepilot
"""


@pytest.mark.parametrize("args", [["corepilot"], ["sh", "-c", DELEGATE]], ids=["privileged", "delegated"])
def test_a_stop_takes_what_nothing_else_leads_to(tmp_path: Path, args: list[str]) -> None:
    with Container(TEXT, tmp_path, args=args, cgroup=True) as container:

        def groups() -> list[str]:
            return container.execute("find", "/sys/fs/cgroup", "-name", "corepilot-*-*").stdout.split()

        def daemon(count: int) -> int:
            eventually(lambda: container.output.count(" daemon ") == count, message="the daemon")
            return int(container.output.split(" daemon ")[count].split()[0])

        first = daemon(1)
        eventually(lambda: container.execute("corepilot", "ping").returncode == 0, message="a supervisor")
        (group,) = groups()
        assert str(first) in container.execute("cat", f"{group}/cgroup.procs").stdout.split()
        assert container.execute("corepilot", "stop", "old").returncode == 0
        assert first not in container.states()
        assert groups() == []
        assert container.execute("corepilot", "start", "old").returncode == 0
        assert daemon(2) != first
        assert container.stop() == 0
        assert container.lines[-1].endswith("killed: old")


def test_where_it_may_only_be_read_the_log_says_so_and_the_end_takes_the_daemon(tmp_path: Path) -> None:
    with Container(TEXT, tmp_path) as container:
        container.until("old: cgroup has no effect")
        container.until(" daemon ")
        assert container.stop() == 0
