"""What corepilot takes for itself and its jobs do not inherit: more descriptors, and less of the out-of-memory killer.

Both are attributes that a child inherits at its fork, and that posix_spawn cannot set. So they are changed in this
process for the moment of the spawn: the child has them from its first instruction on, which a write from outside,
after the spawn, could not promise. The hub runs on one thread, and CPython keeps its lock during posix_spawn, so only C
code of another thread could see that moment: opening a descriptor above the limit as it was given fails in it.
"""

import errno
import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager

DESCRIPTORS_MAX = 1 << 20
"""We take no more than this of the hard limit: some container runtimes set it to 2^30, and every C library that walks
over all descriptors pays for each."""

OOM_ADJUSTMENT = 100
"""How much likelier than corepilot a job is to be killed when memory runs out, in thousandths of all memory
(proc_pid_oom_score_adj(5)). Raising it needs no privilege."""

_OOM_MAX = 1000


class JobLimits:
    """Limits as they were given, and how a job gets them. Making it changes nothing; its methods do."""

    def __init__(self) -> None:
        self._given: tuple[int, int] | None = None
        self._null_fd = self._low_fd = -1
        self._oom_fd = -1
        self._oom_own = self._oom_job = b""

    def raise_own(self) -> None:
        """Raise our soft limit of descriptors to the hard one. Never raises an exception; where it fails, all stays."""
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        most = DESCRIPTORS_MAX if hard == resource.RLIM_INFINITY else min(hard, DESCRIPTORS_MAX)
        if soft == resource.RLIM_INFINITY or soft >= most:
            return
        try:
            self._null_fd = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
            self._low_fd = os.dup(self._null_fd)
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
        except (OSError, ValueError):  # above fs.nr_open, or refused by a seccomp filter, or no descriptor left
            self._close_fds()
            return
        self._given = (soft, hard)

    def prefer_jobs_when_memory_runs_out(self) -> None:
        """From now on jobs have an oom_score_adj above ours. Where /proc is missing or read-only, all stays."""
        try:
            self._oom_fd = os.open("/proc/self/oom_score_adj", os.O_RDWR | os.O_CLOEXEC)
            own = int(os.pread(self._oom_fd, 16, 0))
        except (OSError, ValueError):
            self._forget_oom()
            return
        self._oom_own, self._oom_job = b"%d" % own, b"%d" % min(own + OOM_ADJUSTMENT, _OOM_MAX)

    @contextmanager
    def of_a_job(self, output: int | None) -> Iterator[int | None]:
        """Have the limits of a job while it is spawned. About 10 µs; restores ours also after an exception.

        Args:
            output: The descriptor that is to become the job's output, or None.

        Yields:
            The same open file, as a descriptor below the job's limit: glibc lets posix_spawn use no other.
        """
        given, ours = self._given, None
        if given is not None:
            ours = resource.getrlimit(resource.RLIMIT_NOFILE)  # what somebody has set meanwhile stays
            if output is not None and output >= given[0]:
                output = os.dup2(output, self._low_fd, inheritable=False)
            resource.setrlimit(resource.RLIMIT_NOFILE, (min(given[0], ours[0]), ours[1]))
        self._adjust_oom(self._oom_job)
        try:
            yield output
        finally:
            self._adjust_oom(self._oom_own)
            if ours is not None:
                resource.setrlimit(resource.RLIMIT_NOFILE, ours)
                if output == self._low_fd:
                    os.dup2(self._null_fd, self._low_fd, inheritable=False)  # nobody waits for the end of our copy

    @property
    def lowers_descriptors(self) -> bool:
        """Whether a job's limit of descriptors is below ours."""
        return self._given is not None

    def give(self, pid: int) -> None:
        """Give a child that was spawned without them the limits of a job: later than its first instructions."""
        if self._given is not None:
            try:
                resource.prlimit(pid, resource.RLIMIT_NOFILE, self._given)
            except (OSError, ValueError):
                return  # it has ended, or has become another user's

    def close(self) -> None:
        """Put our own limit back as it was given. Idempotent."""
        if self._given is not None:
            resource.setrlimit(resource.RLIMIT_NOFILE, self._given)
        self._given = None
        self._close_fds()
        self._forget_oom()

    def _close_fds(self) -> None:
        for descriptor in (self._low_fd, self._null_fd):
            if descriptor >= 0:
                os.close(descriptor)
        self._null_fd = self._low_fd = -1

    def _adjust_oom(self, value: bytes) -> None:
        if self._oom_fd < 0:
            return
        try:
            os.pwrite(self._oom_fd, value, 0)
        except OSError:  # a kernel that lets us raise it and not lower it again: once is enough
            self._forget_oom()

    def _forget_oom(self) -> None:
        if self._oom_fd >= 0:
            os.close(self._oom_fd)
        self._oom_fd = -1


SHORTAGES = frozenset({errno.EMFILE, errno.ENFILE, errno.EAGAIN, errno.ENOMEM})
"""What the kernel says when it is out of descriptors, processes or memory: the same may succeed a moment later."""

JOB_LIMITS = JobLimits()
"""The one of this process: what it stands for, the kernel keeps once for each process, too."""
