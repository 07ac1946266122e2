"""What templates learn of the machine: limits of control groups of both versions, and what there is without any."""

import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from corepilot.gotemplate import machine
from corepilot.gotemplate.errors import TemplateError
from corepilot.gotemplate.render import render

V2, V1 = "0::/a/b", "5:cpu,cpuacct:/a\n4:memory:/a/b\n0::/"
MEMINFO = {"proc/meminfo": "MemTotal:  2097152 kB\nMemFree: 5 kB\n"}
GIB = 1024**3


def told(template: str, files: Mapping[str, str], directory: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    for name, text in files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    monkeypatch.setattr(machine, "ROOT", str(directory))
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: set(range(8)))
    return render(template, {}).text


@pytest.mark.parametrize(
    ("files", "memory"),
    [
        ({}, 1024),
        ({"proc/self/cgroup": V2, "sys/fs/cgroup/a/b/memory.max": "max\n"}, 1024),
        ({"proc/self/cgroup": V2, "sys/fs/cgroup/a/b/memory.max": f"{GIB}\n"}, 512),
        (
            {"proc/self/cgroup": V2, "sys/fs/cgroup/a/memory.max": f"{GIB}\n", "sys/fs/cgroup/a/b/memory.max": "max"},
            512,
        ),
        ({"proc/self/cgroup": "0::/", "sys/fs/cgroup/memory.max": f"{GIB // 2}\n"}, 256),
        ({"proc/self/cgroup": "0::/../x", "sys/fs/cgroup/memory.max": f"{GIB // 2}\n"}, 256),
        ({"proc/self/cgroup": V1, "sys/fs/cgroup/memory/a/b/memory.limit_in_bytes": f"{GIB}\n"}, 512),
        ({"proc/self/cgroup": V1, "sys/fs/cgroup/memory/memory.limit_in_bytes": f"{GIB}\n"}, 512),
        ({"proc/self/cgroup": V1, "sys/fs/cgroup/memory/a/memory.limit_in_bytes": "9223372036854771712\n"}, 1024),
        ({"proc/self/cgroup": "0::/", "sys/fs/cgroup/memory.max": "4096\n"}, 1),
    ],
)
def test_a_share_of_the_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: Mapping[str, str], memory: int
) -> None:
    assert told("{{ memory 50 }}", {**MEMINFO, **files}, tmp_path, monkeypatch) == str(memory)


@pytest.mark.parametrize(
    ("files", "cpus"),
    [
        ({}, 8),
        ({"proc/self/cgroup": V2, "sys/fs/cgroup/a/b/cpu.max": "max 100000\n"}, 8),
        ({"proc/self/cgroup": V2, "sys/fs/cgroup/a/b/cpu.max": "250000 100000\n"}, 2),
        ({"proc/self/cgroup": V2, "sys/fs/cgroup/a/cpu.max": "50000 100000\n"}, 1),
        ({
            "proc/self/cgroup": V1, "sys/fs/cgroup/cpu/a/cpu.cfs_quota_us": "300000\n",
            "sys/fs/cgroup/cpu/a/cpu.cfs_period_us": "100000\n",
        }, 3),
        ({
            "proc/self/cgroup": V1, "sys/fs/cgroup/cpu/a/cpu.cfs_quota_us": "-1\n",
            "sys/fs/cgroup/cpu/a/cpu.cfs_period_us": "100000\n",
        }, 8),
    ],
)  # fmt: skip
def test_processors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: Mapping[str, str], cpus: int) -> None:
    assert told("{{ cpus }}", files, tmp_path, monkeypatch) == str(cpus)


@pytest.mark.parametrize("share", ["0", "101", "-1", '"66%"', "true"])
def test_what_is_no_share(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, share: str) -> None:
    with pytest.raises(TemplateError, match="a number of percent, above 0 and up to 100"):
        told(f"{{{{ memory {share} }}}}", MEMINFO, tmp_path, monkeypatch)


def test_a_machine_that_says_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(TemplateError, match="cannot find out how much memory there is"):
        told("{{ memory 50 }}", {}, tmp_path, monkeypatch)


def test_here() -> None:
    whole, half, cpus = [int(word) for word in render("{{ memory 100 }} {{ memory 50 }} {{ cpus }}", {}).text.split()]
    assert whole // 2 - 1 <= half <= whole // 2 + 1
    assert cpus >= 1
