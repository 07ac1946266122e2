"""The supervisor's signals in a process of their own: noted in order, delivered in order, beside the loop's SIGCHLD."""

import subprocess
import sys

BEGIN = """
import os, signal, sys
from corepilot.supervisor.signals import HANDLED, STOPPING, Signals
heard, got = [], []
signals = Signals(lambda _frame: heard.append(None))
def send(*numbers):
    for number in numbers:
        os.kill(os.getpid(), number)
HUP, INT, TERM, USR1 = signal.SIGHUP, signal.SIGINT, signal.SIGTERM, signal.SIGUSR1
"""
LOOP = """
import gevent
loop = gevent.get_hub().loop
signals.deliver_to(loop, got.append)
"""


def run(program: str) -> None:
    command = [sys.executable, "-I", "-c", program]
    answer = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert answer.returncode == 0, answer.stderr


def test_what_came_before_the_loop_is_delivered_first_and_in_order() -> None:
    run(f"""{BEGIN}
send(USR1, TERM)
assert (signals.stop_asked, len(heard), got) == (True, 1, [])
{LOOP}
send(HUP)
gevent.sleep(0.01)
assert got == [USR1, TERM, HUP], got
""")


def test_a_loop_that_sleeps_wakes_up() -> None:
    run(f"""{BEGIN}
import gevent
loop = gevent.get_hub().loop
import threading
from gevent.event import Event
arrived = Event()
def deliver(number):
    got.append(number)
    arrived.set()
signals.deliver_to(loop, deliver)
threading.Timer(0.05, send, (TERM,)).start()  # another thread: nothing else wakes this loop
assert arrived.wait(20)
assert got == [TERM]
""")


def test_a_busy_loop_hears_of_a_stop_before_it_delivers_it() -> None:
    run(f"""{BEGIN}{LOOP}
send(HUP, TERM, HUP, HUP, INT, TERM, TERM)
assert len(heard) == 4
assert got == []
gevent.sleep(0.01)
assert got == [HUP, TERM, HUP, INT, TERM], got
""")


def test_a_stop_that_the_guard_passes_on_and_that_comes_directly_too_is_one() -> None:
    begin = BEGIN.replace("(lambda _frame: heard.append(None))", "(lambda _frame: heard.append(None), lambda: passed)")
    run(f"""passed = 0
{begin}{LOOP}
def rest():
    gevent.sleep(0.01)
    found, got[:] = list(got), []
    return found
send(TERM)      # pkill: first to us,
passed = 1
send(TERM)      # then by way of the guard
assert rest() == [TERM] and len(heard) == 2
passed = 2
send(INT)       # another one: by the guard
send(INT)       # and directly
assert rest() == [INT]
send(TERM)      # a third one
assert rest() == [TERM]
assert signals.stop_asked
""")


def test_a_delivery_that_fails_keeps_nothing_back() -> None:
    run(f"""{BEGIN}
import gevent
loop = gevent.get_hub().loop
sys.stderr = open(os.devnull, "w")
def deliver(number):
    got.append(number)
    raise RuntimeError(number)
signals.deliver_to(loop, deliver)
send(HUP, USR1)
gevent.sleep(0.01)
send(TERM)
gevent.sleep(0.01)
assert got == [HUP, USR1, TERM], got
""")


def test_children_are_collected_meanwhile_and_their_signal_is_the_loops() -> None:
    run(f"""{BEGIN}{LOOP}
from corepilot.system.process import Reaper, spawn
reaper = Reaper(loop)
ended = []
for number in range(200):
    spawn(["sh", "-c", "exit 7"], dict(os.environ), reaper, ended.append)
    send(HUP)
    if number % 10 == 0:
        gevent.sleep(0.001)
with gevent.Timeout(30):
    while reaper.alive:
        gevent.sleep(0.01)
assert ended == [7] * 200
assert set(got) == {{HUP}} and len(got) >= 20
assert signals.stop_asked is False
""")


def test_a_job_blocks_and_ignores_nothing() -> None:
    run(f"""{BEGIN}{LOOP}
from corepilot.system.process import Reaper, spawn
reaper = Reaper(loop)
read_end, write_end = os.pipe()
spawn(["grep", "^Sig[BI]", "/proc/self/status"], dict(os.environ), reaper, lambda _: None, output=write_end)
os.close(write_end)
blocked, ignored = [int(line.split()[1], 16) for line in open(read_end)]
assert blocked == 0
assert ignored & ((1 << 31) - 1) == 0  # 32 and 33 are the C library's own
while reaper.alive:
    gevent.sleep(0.01)
""")
