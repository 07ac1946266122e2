"""What a job inherits: the limits as they were given to corepilot."""

import errno
import os
import resource
import sys
from collections.abc import Callable, Iterator
from typing import Any

import gevent
import pytest
from eventually import eventually
from gevent.event import AsyncResult

from corepilot.system import limits
from corepilot.system.limits import JOB_LIMITS, OOM_ADJUSTMENT, JobLimits
from corepilot.system.process import Reaper, SpawnError, spawn

SHOW = "import resource; print(*resource.getrlimit(resource.RLIMIT_NOFILE), open('/proc/self/oom_score_adj').read())"
OOM = "/proc/self/oom_score_adj"


@pytest.fixture
def given() -> Iterator[tuple[int, int]]:
    """A soft limit of descriptors that is far below the hard one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
    yield 256, hard
    JOB_LIMITS.close()
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.fixture
def reaper() -> Iterator[Reaper]:
    one = Reaper(gevent.get_hub().loop)
    yield one
    one.close()


def oom_score_adj() -> int:
    with open(OOM, encoding="ascii") as file:
        return int(file.read())


def output_of(argv: list[str], reaper: Reaper, **options: Any) -> str:
    read_end, write_end = os.pipe()
    ended: AsyncResult[int] = AsyncResult()
    try:
        spawn(argv, dict(os.environ), reaper, ended.set, output=write_end, **options)
    finally:
        os.close(write_end)
        file = open(read_end, encoding="utf-8")  # noqa: SIM115  - closed below, also where spawn fails
    with file:
        assert ended.get(timeout=20) == 0
        return file.read().strip()


def test_a_job_has_the_limits_as_they_were_given(given: tuple[int, int], reaper: Reaper) -> None:
    JOB_LIMITS.raise_own()
    JOB_LIMITS.prefer_jobs_when_memory_runs_out()
    ours, adjustment = resource.getrlimit(resource.RLIMIT_NOFILE), oom_score_adj()
    assert ours == (min(given[1], limits.DESCRIPTORS_MAX), given[1])
    higher = min(adjustment + OOM_ADJUSTMENT, 1000)
    show = [sys.executable, "-I", "-S", "-c", SHOW]
    assert output_of(show, reaper) == f"{given[0]} {given[1]} {higher}"
    assert output_of(show, reaper, own=True) == f"{ours[0]} {ours[1]} {adjustment}"
    assert resource.getrlimit(resource.RLIMIT_NOFILE) == ours
    assert oom_score_adj() == adjustment


def test_a_job_starts_beside_more_descriptors_than_it_may_have(given: tuple[int, int], reaper: Reaper) -> None:
    JOB_LIMITS.raise_own()
    opened = [os.open(os.devnull, os.O_RDONLY) for _ in range(given[0] + 44)]
    try:
        assert output_of(["echo", "started"], reaper) == "started"
    finally:
        for descriptor in opened:
            os.close(descriptor)


@pytest.mark.usefixtures("given")
def test_a_spawn_that_fails_leaves_our_limits_as_they_were(reaper: Reaper) -> None:
    JOB_LIMITS.raise_own()
    JOB_LIMITS.prefer_jobs_when_memory_runs_out()
    ours, adjustment = resource.getrlimit(resource.RLIMIT_NOFILE), oom_score_adj()
    with pytest.raises(SpawnError):
        spawn(["/etc/passwd"], {}, reaper, lambda _: None)
    with pytest.raises(SpawnError):
        spawn(["true", "x" * 200_000], {}, reaper, lambda _: None)
    assert (resource.getrlimit(resource.RLIMIT_NOFILE), oom_score_adj()) == (ours, adjustment)


def test_a_c_library_that_needs_descriptors_to_spawn(
    given: tuple[int, int], reaper: Reaper, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As musl does: its posix_spawn opens a pipe."""
    real: Callable[..., int] = os.posix_spawn

    def with_a_pipe(*arguments: Any, **options: Any) -> int:
        if resource.getrlimit(resource.RLIMIT_NOFILE)[0] == given[0]:
            raise OSError(errno.EMFILE, "Too many open files")
        return real(*arguments, **options)

    monkeypatch.setattr(os, "posix_spawn", with_a_pipe)
    JOB_LIMITS.raise_own()
    waits = "import resource, sys; sys.stdin.read(1); print(*resource.getrlimit(resource.RLIMIT_NOFILE))"
    read_end, write_end = os.pipe()
    ours, theirs = os.pipe()
    ended: AsyncResult[int] = AsyncResult()
    spawn([sys.executable, "-I", "-c", waits], {}, reaper, ended.set, output=theirs, stdin=read_end)
    for descriptor in (theirs, read_end, write_end):
        os.close(descriptor)
    with open(ours, encoding="ascii") as file:
        assert ended.get(timeout=20) == 0
        assert file.read() == f"{given[0]} {given[1]}\n"


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENFILE, errno.EAGAIN, errno.ENOMEM, errno.EACCES, errno.E2BIG])
def test_a_shortage_is_told_from_a_program_that_cannot_run(
    number: int, reaper: Reaper, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object, **__: object) -> int:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "posix_spawn", fails)
    with pytest.raises(SpawnError) as caught:
        spawn(["true"], dict(os.environ), reaper, lambda _: None)
    assert caught.value.shortage == (number not in {errno.EACCES, errno.E2BIG})
    assert caught.value.status == 126


def test_without_a_limit_to_raise_nothing_changes() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, limits.DESCRIPTORS_MAX), hard))
    ours = JobLimits()
    ours.raise_own()
    assert not ours.lowers_descriptors
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.parametrize("failing", ["open", "pread", "pwrite"])
def test_a_kernel_without_oom_score_adj_is_passed_over(failing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    before = len(os.listdir("/proc/self/fd"))
    ours = JobLimits()

    def fails(*_: object) -> int:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    with monkeypatch.context() as patch:
        patch.setattr(os, failing, fails)
        ours.prefer_jobs_when_memory_runs_out()
        with ours.of_a_job(None):
            pass
    eventually(lambda: len(os.listdir("/proc/self/fd")) == before)
