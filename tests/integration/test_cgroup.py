"""A job with a control group of its own: a stop takes what no process group, session or variable leads to."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from eventually import eventually
from recording import config
from running import PIDNS, Corepilot, alive

from corepilot.system.cgroups import directories

# A daemon with an environment of its own, in a session of its own, whose parents have died. It ignores SIGTERM.
DAEMON = "trap '' TERM; echo $$ > {}/daemon; exec sleep 1000"
JOB = "(setsid env -i PATH=$PATH sh %(dir)s/daemon.sh &); exec sleep 1000"


def mounted(directory: Path) -> list[str]:
    """Where the hierarchy of version 2 is mounted, writable, whatever the machine's own mounts are."""
    point = directory / "cgroup"
    point.mkdir()
    return ["unshare", "--mount", "sh", "-c", f'mount -t cgroup2 none "{point}" && exec "$@"', "-"]


def text(directory: Path, cgroup: str) -> str:
    (directory / "daemon.sh").write_text(DAEMON.format(directory))
    return config(f'{{name: "a", exec: ["sh", "-c", "{JOB}"], killTimeout: "300ms", cgroup: {cgroup}}}')


def daemon_of(directory: Path) -> int:
    file = directory / "daemon"
    eventually(lambda: file.exists() and file.read_text().strip(), message="the daemon")
    return int(file.read_text())


def control_groups(pid: int, supervisor: int) -> list[Path]:
    """The groups of corepilot's jobs, as its processes see them."""
    groups, mounts = Path(f"/proc/{pid}/cgroup").read_text(), Path(f"/proc/{pid}/mountinfo").read_text()
    found = [Path(f"/proc/{pid}/root{one}") for one in directories(groups, mounts)]
    return sorted({path for one in found for path in one.glob(f"corepilot-*-{supervisor}-*")})


def test_a_stop_kills_what_has_left_in_every_way_and_removes_the_group(tmp_path: Path) -> None:
    with Corepilot(text(tmp_path, "true"), tmp_path, prefix=mounted(tmp_path)) as corepilot:
        daemon = daemon_of(tmp_path)
        corepilot.until_ready()
        assert re.search(rf"corepilot-\d+-{corepilot.supervisor}-", Path(f"/proc/{daemon}/cgroup").read_text())
        assert not re.search(r"corepilot-\d+-\d+-", Path(f"/proc/{corepilot.supervisor}/cgroup").read_text())
        assert control_groups(corepilot.supervisor, corepilot.supervisor)
        assert corepilot.client("stop", "a").returncode == 0
        assert not alive(daemon)
        assert not control_groups(corepilot.supervisor, corepilot.supervisor)
        assert corepilot.client("start", "a").returncode == 0
        eventually(lambda: daemon_of(tmp_path) != daemon, message="the next one")
        assert corepilot.stop() == 0
        assert not alive(daemon_of(tmp_path))


def test_without_it_such_a_daemon_outlives_the_stop_of_its_job(tmp_path: Path) -> None:
    with Corepilot(text(tmp_path, "false"), tmp_path, prefix=mounted(tmp_path)) as corepilot:
        daemon = daemon_of(tmp_path)
        corepilot.until_ready()
        assert corepilot.client("stop", "a").returncode == 0
        assert alive(daemon)
        assert not control_groups(corepilot.supervisor, corepilot.supervisor)
        assert corepilot.stop() == 0
        assert not alive(daemon)  # the end of everything finds all


ONE_WRITE = """
import os, subprocess
from corepilot.system.cgroups import control_group
group = control_group(f"{os.getpid()}-1")
assert not group.pids
os.makedirs(group.path + "/below")
script = '''
echo 0 > "$1/cgroup.procs"; sleep 1001 &
echo 0 > "$1/below/cgroup.procs"; echo in; exec sleep 1000
'''
enter = ["sh", "-c", script, "-", group.path]
child = subprocess.Popen(enter, stdout=subprocess.PIPE)
child.stdout.readline()
assert child.pid in group.pids and len(group.pids) == 2
group.kill()
assert child.wait(30) == -9
while group.pids:
    pass
group.remove()
assert not os.path.exists(group.path)
"""


def test_two_that_have_one_pid_in_two_namespaces_have_two_groups(tmp_path: Path) -> None:
    """Beside one another in one control group, as on a host."""
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    second.mkdir()
    with (
        Corepilot(text(first, "true"), first, prefix=[*mounted(first), *PIDNS]) as one,
        Corepilot(text(second, "true"), second, prefix=[*mounted(second), *PIDNS]) as other,
    ):
        groups = set()
        for corepilot in one, other:
            corepilot.until_ready()
            job = corepilot.job("a")["pid"]
            inside = Path(f"/proc/{corepilot.supervisor}/root/proc/{job}/cgroup")
            groups.add(next(line for line in inside.read_text().splitlines() if line.startswith("0::")))
        assert len(groups) == 2
        assert one.stop() == 0
        assert other.job("a")["state"] == "running"
        assert other.stop() == 0


def test_one_write_kills_all_of_a_group(tmp_path: Path) -> None:
    subprocess.run([*mounted(tmp_path), sys.executable, "-c", ONE_WRITE], check=True, timeout=60)


def test_groups_of_supervisors_that_have_died_are_removed(tmp_path: Path) -> None:
    ended = subprocess.Popen(["true"])
    ended.wait()
    namespace = Path("/proc/self/ns/pid").stat().st_ino
    through = mounted(tmp_path)
    stale = f'mkdir -p "{tmp_path}/cgroup/$OWN/corepilot-{namespace}-{ended.pid}-1"'
    through[4] = through[4].replace("&& exec", f"&& {stale} && exec")
    own = next(line[3:] for line in Path("/proc/self/cgroup").read_text().splitlines() if line.startswith("0::"))
    with Corepilot(text(tmp_path, "true"), tmp_path, prefix=["env", f"OWN={own}", *through]) as corepilot:
        daemon_of(tmp_path)
        corepilot.until_ready()
        assert not control_groups(corepilot.supervisor, ended.pid)
        assert corepilot.stop() == 0


def test_where_corepilot_may_make_none_it_says_so_once_and_goes_on(tmp_path: Path) -> None:
    text_ = config('{name: "a", exec: "false", cgroup: true, restarts: 2}, {name: "b", exec: "sleep 1000"}')
    prefix = ["unshare", "--mount", "sh", "-c", 'umount --lazy --all --types cgroup2; exec "$@"', "-"]
    with Corepilot(text_, tmp_path, prefix=prefix) as corepilot:
        eventually(lambda: corepilot.output.count("exited with error") == 3, message="its runs")
        assert corepilot.output.count("a: cgroup has no effect: there is no control group of version 2 here") == 1
        assert corepilot.stop() == 0


@pytest.mark.parametrize(
    ("groups", "mounts", "found"),
    [
        ("0::/\n", "31 24 0:27 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup rw\n", ["/sys/fs/cgroup"]),
        ("0::/a/b\n", "31 24 0:27 / /sys/fs/cgroup rw - cgroup2 cgroup rw\n", ["/sys/fs/cgroup/a/b"]),
        ("5:pids:/x\n0::/docker/1\n", "31 24 0:27 /docker/1 /c\\040d ro - cgroup2 cgroup rw\n", ["/c d"]),
        ("0::/docker/12\n", "31 24 0:27 /docker/1 /sys/fs/cgroup rw - cgroup2 cgroup rw\n", []),
        ("0::/../other\n", "31 24 0:27 /docker/1 /sys/fs/cgroup rw - cgroup2 cgroup rw\n", []),
        ("5:pids:/x\n", "31 24 0:27 / /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids\n", []),
        ("0::/\n", "31 24 0:27 / /sys/fs/cgroup rw - tmpfs cgroup2 rw\nnonsense\n", []),
    ],
)
def test_which_directory_is_ones_own(groups: str, mounts: str, found: list[str]) -> None:
    assert list(directories(groups, mounts)) == found
