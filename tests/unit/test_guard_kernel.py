"""The calls into the kernel, each in an interpreter of its own: they change the process for good."""

import subprocess
import sys
from pathlib import Path

import pytest

CHECKOUT = str(Path(__file__).parents[2])
HEAD = f"""
import os, signal, sys
sys.path.insert(0, {CHECKOUT!r})
from corepilot.system import kernel
"""


def run(script: str, *flags: str) -> str:
    done = subprocess.run(
        [sys.executable, "-I", *flags, "-c", HEAD + script], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize("way", ["kernel.close_on_exec({4, 9})", "kernel._close_on_exec_by_range(frozenset({9, 4}))"])
def test_close_on_exec_spares_what_is_kept_and_the_standard_streams(way: str) -> None:
    script = f"""
read_end, write_end = os.pipe()
for number in (3, 4, 5, 9, 10, 200):
    if number not in (read_end, write_end):
        os.dup2(1, number)
    os.set_inheritable(number, True)
{way}
print([number for number in range(201) if number in (0, 1, 2, 3, 4, 5, 9, 10, 200) and os.get_inheritable(number)])
"""
    assert run(script) == "[0, 1, 2, 4, 9]"


def test_parent_death_signal_and_subreaper_are_set() -> None:
    script = """
import ctypes
got = ctypes.c_int()
prctl = ctypes.CDLL(None).prctl
for setting, get in ((kernel.set_child_subreaper, 37), (lambda: kernel.set_parent_death_signal(signal.SIGUSR1), 2)):
    setting()
    setting()
    assert prctl(get, ctypes.byref(got), 0, 0, 0) == 0
    print(got.value)
"""
    assert run(script).split() == ["1", "10"]


def test_a_refusal_says_what_could_not_be_done() -> None:
    script = """
try:
    kernel.set_parent_death_signal(999)
except OSError as error:
    print(error.errno, error.strerror)
"""
    assert run(script) == "22 cannot watch for the parent's death: prctl(1): Invalid argument"


def test_blocked_signals_wait_and_faults_are_not_blocked() -> None:
    script = """
seen = []
signal.signal(signal.SIGUSR1, lambda number, _: seen.append(number))
kernel.block_signals()
for number in (signal.SIGUSR1, signal.SIGWINCH, signal.SIGTERM):
    os.kill(os.getpid(), number)
signal.signal(signal.SIGTERM, lambda number, _: seen.append(number))
assert seen == []
assert not signal.pthread_sigmask(signal.SIG_BLOCK, ()) & kernel.FAULTS
kernel.unblock_signals()
print(*map(int, sorted(seen)), len(signal.pthread_sigmask(signal.SIG_BLOCK, ())))
"""
    assert run(script) == "10 15 0"


@pytest.mark.parametrize(("to_run_python", "ignored"), [(True, "13 25"), (False, "")])
def test_dispositions_are_reset(*, to_run_python: bool, ignored: str) -> None:
    script = f"""
signal.signal(signal.SIGHUP, signal.SIG_IGN)
signal.signal(signal.SIGRTMAX, lambda *_: None)
signal.set_wakeup_fd(os.eventfd(0, os.EFD_NONBLOCK))
kernel.reset_dispositions(to_run_python={to_run_python})
assert signal.set_wakeup_fd(-1) == -1
assert all(signal.getsignal(n) in (signal.SIG_DFL, signal.SIG_IGN) for n in signal.valid_signals())
print(*sorted(int(n) for n in signal.valid_signals() if signal.getsignal(n) == signal.SIG_IGN))
"""
    assert run(script) == ignored


def test_the_guard_loads_neither_the_heavy_modules_nor_ctypes() -> None:
    script = """
import corepilot.guard
heavy = {"signal", "socket", "enum", "typing", "ctypes", "subprocess", "re", "collections", "gevent"}
print(sorted(heavy & set(loaded)))
"""
    before = "import sys; loaded = sys.modules\n"
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", before + f"sys.path.insert(0, {CHECKOUT!r})" + script],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout.strip() == "[]"
