"""`supervised.py SCENARIO [ARGUMENT…]`: a guard around a supervisor that does one of the things named below."""

import collections
import itertools
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import announcing
from announcing import announce

from corepilot import guard
from corepilot.system import kernel

guard.install_early_handlers()
announce("armed")

ARGUMENTS = sys.argv[2:]
HANDLED = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2, signal.SIGQUIT)


def job(*how: str, **more: str) -> subprocess.Popen[bytes]:
    """Start job.py and wait until it has announced itself."""
    read_end, write_end = os.pipe()
    here = os.path.dirname(os.path.abspath(__file__))
    process = subprocess.Popen(
        [sys.executable, "-I", os.path.join(here, "job.py"), *how],
        env=os.environ | {"STARTED": str(write_end)} | more,
        pass_fds=[write_end, announcing.PIPE],
    )
    os.close(write_end)
    assert os.read(read_end, 1)
    os.close(read_end)
    if "daemon" in how:
        process.wait()
        os.waitpid(-1, 0)  # the process between the two forks, which has become our child
    return process


def jobs_from_arguments() -> None:
    """One job per argument, its ways joined by commas."""
    kernel.unblock_signals()  # a child inherits the mask
    for how in ARGUMENTS:
        job(*how.split(","))


def returns(_: guard.Channel) -> int:
    return int(ARGUMENTS[0])


def exits(_: guard.Channel) -> int:
    sys.exit({"none": None, "text": "sorry"}.get(ARGUMENTS[0]) if ARGUMENTS[0].isalpha() else int(ARGUMENTS[0]))


def raises(channel: guard.Channel) -> int:
    channel.ready(0.3)
    jobs_from_arguments()
    raise LookupError("a bug")


def leaves(_: guard.Channel) -> int:
    """Return 6 with the jobs still there."""
    jobs_from_arguments()
    return 6


def dies(channel: guard.Channel) -> int:
    """Start jobs, announce "up", and wait to be killed."""
    channel.ready(float(os.environ.get("BUDGET", "0.3")))
    channel.busy_with("plugin 'statsd', hook flush")
    jobs_from_arguments()
    announce("up", os.getpid())
    signal.pause()
    return 0


def holds(channel: guard.Channel) -> int:
    """As `dies`, with 10 minutes for the stop; all jobs but the first run for $LOCK seconds more under a lock."""
    kernel.unblock_signals()
    channel.ready(600)
    free, *locked = [how.split(",") for how in ARGUMENTS]
    job(*free)
    jobs = [job(*how, **({"COREPILOT_RUN": "1-1"} if "marked" in how else {})) for how in locked]
    groups = [one.pid for one, how in zip(jobs, locked, strict=True) if "daemon" not in how]
    if "DEAD" in os.environ:  # and not collected
        os.kill(jobs[0].pid, signal.SIGKILL)
        os.waitid(os.P_PID, jobs[0].pid, os.WEXITED | os.WNOWAIT)
    channel.locked(0, time.monotonic() + float(os.environ["LOCK"]), groups, ["1-1"])
    announce("up", os.getpid())
    signal.pause()
    return 0


def vanishes(channel: guard.Channel) -> int:
    """What a plugin could do: leave through os._exit, with the status in $STATUS, after announcing a stop or not."""
    jobs_from_arguments()
    channel.ready(0.3)
    channel.busy_with("plugin 'rude', hook start")
    if "ANNOUNCED" in os.environ:
        channel.stopping(30, int(os.environ["ANNOUNCED"]))
    os._exit(int(os.environ["STATUS"]))


def sleeps(channel: guard.Channel) -> int:
    """Be blocked, outside the interpreter's loop."""
    return blocked(channel, lambda: time.sleep(300))


def spins(channel: guard.Channel) -> int:
    """Be blocked in one call of C that keeps the interpreter's lock."""
    return blocked(channel, lambda: collections.deque(itertools.repeat(None), maxlen=0))


def blocked(channel: guard.Channel, forever: Callable[[], object]) -> int:
    channel.ready(0.5)
    channel.busy_with("plugin 'slow', hook poll")
    jobs_from_arguments()
    for number in HANDLED:
        signal.signal(number, lambda *_: None)
    announce("up", os.getpid())
    forever()
    return 0


def records(channel: guard.Channel) -> int:
    """Announce every signal; at SIGTERM announce a stop of 10 s, at the second one or SIGINT return 3."""
    taken = signal.valid_signals() - {signal.SIGCHLD, signal.SIGKILL, signal.SIGSTOP} - kernel.FAULTS
    channel.ready(1)
    announce("up", os.getpid())
    while True:
        number = signal.sigwait(taken)
        announce("signal", int(number))
        if number == signal.SIGINT:
            return 3
        if number == signal.SIGTERM:
            channel.stopping(10, 3)


def stops(channel: guard.Channel) -> int:
    """An orderly supervisor: at SIGTERM or SIGINT announces a stop and returns 0."""
    asked: list[int] = []
    for number in HANDLED:
        signal.signal(number, lambda number, _: asked.append(number))
    channel.ready(5)
    jobs_from_arguments()
    announce("up", os.getpid())
    while not {signal.SIGTERM, signal.SIGINT} & set(asked):
        time.sleep(0.01)  # the next signal ends the loop: no job of ours does
    channel.stopping(5, 0)
    announce("stopping", len(asked))
    return 0


def overruns(channel: guard.Channel) -> int:
    """Announce stops, each DEADLINE:STATUS after the one before, and then hang; jobs come from $JOBS."""
    kernel.unblock_signals()
    for how in os.environ.get("JOBS", "").split():
        job(*how.split(","))
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    announce("up", os.getpid())
    for argument in ARGUMENTS:
        deadline, _, status = argument.partition(":")
        channel.stopping(float(deadline), int(status))
    time.sleep(300)
    return 0


def extends(channel: guard.Channel) -> int:
    """Announce a stop of 0.1 s, then one of 60 s, outlast the first one's deadline and slack, and return 8."""
    channel.stopping(0.1, 1)
    channel.stopping(60, 2)
    time.sleep(1)
    return 8


def held(channel: guard.Channel) -> int:
    """Wait until a SIGTERM is pending, install a handler only then, and announce what it gets."""
    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) >= set(HANDLED)
    announce("up", os.getpid())
    while signal.SIGTERM not in signal.sigpending():
        time.sleep(0.005)
    channel.stopping(5, 0)
    signal.signal(signal.SIGTERM, lambda number, _: announce("handled", number))
    kernel.unblock_signals()
    return 0


def born(_: guard.Channel) -> int:
    """Announce the state the supervisor starts in, and what a program it executes finds."""
    import ctypes

    death = ctypes.c_int()
    ctypes.CDLL(None).prctl(2, ctypes.byref(death), 0, 0, 0)
    subreaper = ctypes.c_int()
    ctypes.CDLL(None).prctl(37, ctypes.byref(subreaper), 0, 0, 0)
    ignored = sorted(int(n) for n in signal.valid_signals() if signal.getsignal(n) == signal.SIG_IGN)
    announce("born", death.value, subreaper.value, os.getsid(0) == os.getpid(), ignored)
    read_end, write_end = os.pipe()
    child = os.posix_spawn(
        "/bin/ls", ["ls", "/proc/self/fd"], os.environ, file_actions=[(os.POSIX_SPAWN_DUP2, write_end, 1)]
    )
    os.close(write_end)
    with open(read_end, encoding="ascii") as listing:
        announce("descriptors", listing.read().split())
    os.waitpid(child, 0)
    return 0


def orphaned(channel: guard.Channel) -> int:
    """Announce what is noticed of the guard's death."""
    taken = {signal.SIGTERM}
    announce("up", os.getpid(), channel.guard_lost())
    number = signal.sigwait(taken)
    announce("lost", int(number), channel.guard_lost())
    channel.stopping(1, 0)  # nobody hears it, and nothing is raised
    return 0


sys.exit(guard.supervise(globals()[sys.argv[1]]))
