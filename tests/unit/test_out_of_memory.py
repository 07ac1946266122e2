"""Where the counter of the kernel's OOM killer is, by what /proc says, and what its growth tells."""

from pathlib import Path

import pytest

from corepilot.system.out_of_memory import TOGETHER_S, OutOfMemory

V2 = "low 0\nhigh 0\nmax 9\noom 3\noom_kill {}\noom_group_kill 0\n"
V1 = "oom_kill_disable 0\nunder_oom 0\noom_kill {}\n"


class Kernel:
    """A process's view: its groups, and what is mounted where."""

    def __init__(self, directory: Path, cgroup: str, mounts: list[tuple[str, str, str, str]]) -> None:
        self.directory, self.now = directory, 100.0
        (directory / "cgroup").write_text(cgroup)
        lines = [
            f"30 23 0:26 {root} {directory}/{place} rw,nosuid shared:9 - {kind} none rw,{options}"
            for root, place, kind, options in mounts
        ]
        (directory / "mountinfo").write_text("\n".join(["22 1 0:20 / / rw - overlay none rw", *lines]) + "\n")

    def counter(self, path: str, text: str, count: int) -> None:
        file = self.directory / path.replace("\\040", " ")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text.format(count))

    def begin(self) -> OutOfMemory:
        found = OutOfMemory(lambda: self.now, str(self.directory))
        found.begin()
        return found


@pytest.mark.parametrize(
    ("cgroup", "mounts", "file", "text"),
    [
        # A container with a control group namespace, as engines make it on v2.
        ("0::/\n", [("/", "cg", "cgroup2", "nsdelegate")], "cg/memory.events", V2),
        # The whole tree: a plain host, or a container without such a namespace.
        ("0::/a.slice/b\n", [("/", "cg", "cgroup2", "x")], "cg/a.slice/b/memory.events", V2),
        # Docker on v1: each hierarchy is mounted from the container's group on.
        (
            "5:cpu,cpuacct:/docker/1\n4:memory:/docker/1\n0::/docker/1\n",
            [
                ("/docker/1", "cg/cpu", "cgroup", "cpu,cpuacct"),
                ("/docker/1", "cg/memory", "cgroup", "memory"),
                ("/docker/1", "cg/unified", "cgroup2", "x"),
            ],
            "cg/memory/memory.oom_control",
            V1,
        ),
        # A group below the one that is mounted.
        ("4:memory:/docker/1/sub\n", [("/docker/1", "m", "cgroup", "memory")], "m/sub/memory.oom_control", V1),
        # An outer path that says nothing in here.
        ("4:memory:/elsewhere\n", [("/docker/1", "m", "cgroup", "memory")], "m/memory.oom_control", V1),
        ("0::/\n", [("/", "a\\040b", "cgroup2", "x")], "a\\040b/memory.events", V2),
    ],
)
def test_the_counter_is_found(
    tmp_path: Path, cgroup: str, mounts: list[tuple[str, str, str, str]], file: str, text: str
) -> None:
    kernel = Kernel(tmp_path, cgroup, mounts)
    kernel.counter(file, text, 7)
    kills = kernel.begin()
    assert kills.before == 7
    assert not kills.killed(), "what was counted before is no news"
    kernel.counter(file, text, 8)
    assert kills.killed()


def test_what_ends_together_was_killed_together(tmp_path: Path) -> None:
    kernel = Kernel(tmp_path, "0::/\n", [("/", "cg", "cgroup2", "x")])
    kernel.counter("cg/memory.events", V2, 0)
    kills = kernel.begin()
    kernel.counter("cg/memory.events", V2, 2)
    assert kills.killed()
    kernel.now += TOGETHER_S / 2
    assert kills.killed()
    kernel.now += TOGETHER_S
    assert not kills.killed()
    assert kills.others() == 0


def test_what_a_timer_has_told_of_is_not_the_end_of_a_later_job(tmp_path: Path) -> None:
    kernel = Kernel(tmp_path, "0::/\n", [("/", "cg", "cgroup2", "x")])
    kernel.counter("cg/memory.events", V2, 0)
    kills = kernel.begin()
    kernel.counter("cg/memory.events", V2, 3)
    assert [kills.others(), kills.others()] == [3, 0]
    assert not kills.killed()


@pytest.mark.parametrize("text", ["", "oom 1\n", "oom_kill x\n", "oom_kill\n", "\xff\n"])
def test_where_nothing_counts_nothing_is_claimed(tmp_path: Path, text: str) -> None:
    kernel = Kernel(tmp_path, "0::/\n", [("/", "cg", "cgroup2", "x")])
    kernel.counter("cg/memory.events", text.replace("{", ""), 0)
    kills = kernel.begin()
    assert (kills.killed(), kills.others()) == (False, 0)
    (tmp_path / "mountinfo").unlink()
    kills = kernel.begin()
    assert (kills.killed(), kills.others()) == (False, 0)


def test_a_counter_that_goes_away_is_silent(tmp_path: Path) -> None:
    kernel = Kernel(tmp_path, "0::/\n", [("/", "cg", "cgroup2", "x")])
    kernel.counter("cg/memory.events", V2, 5)
    kills = kernel.begin()
    (tmp_path / "cg" / "memory.events").unlink()
    assert not kills.killed()
    kernel.counter("cg/memory.events", V2, 4)  # somebody has made it anew
    assert not kills.killed()
