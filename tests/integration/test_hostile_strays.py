"""What plugins do outside of any call, and to the process, in a real corepilot: the jobs go on all the same."""

import os
import signal
import time
from pathlib import Path

import pytest
from hostile import NAMED, SECRET, Hostile, starter, ticks_on

ONCE = """def observe(self, fact):
        if hasattr(Hostile, "done"): return
        Hostile.done = True
        """


def once(deed: str) -> str:
    """An observer that does something at the first fact."""
    return ONCE + deed.replace("\n", "\n        ")


DEEDS = {
    "greenlet": (
        "def loop():\n    while True: pass\ngevent.spawn(loop)",
        "a greenlet of its own held the event loop up",
    ),
    "function in C": ("gevent.spawn(time.sleep, 30)", "a greenlet of its own held the event loop up"),
    "callback": (
        "def loop():\n    while True: pass\ngevent.get_hub().loop.run_callback(loop)",
        "a callback of its own held the event loop up",
    ),
    "finalizer": (
        (
            "class Odd:\n    def __del__(self): time.sleep(30)\nodd = Odd(); odd.me = odd; del odd\n"
            "import gc\ngevent.spawn_later(0.1, gc.collect)"
        ),
        "a finalizer held the event loop up",
    ),
    "exit": ("gevent.spawn_later(0.1, sys.exit, 4)", "a greenlet of its own raised SystemExit: 4"),
    "secret": ("gevent.spawn(open, self.options.token)", "a greenlet of its own raised FileNotFoundError: "),
    "thread": (
        "def fail(): raise KeyError(self.options.token)\nthreading.Thread(target=fail).start()",
        "a thread of its own raised KeyError: '***'",
    ),
    "fork": ("os.fork()", "observe has forked; its child ends"),
    "main greenlet": (
        "gevent.kill(gevent.get_hub().parent)",
        "something raised GreenletExit in corepilot's main greenlet, which goes on",
    ),
    "child signal": ("signal.signal(signal.SIGCHLD, signal.SIG_IGN)", "something changed the handler of SIGCHLD"),
    "child signal again": (
        "signal.signal(signal.SIGCHLD, signal.SIG_IGN); signal.signal(signal.SIGCHLD, signal.SIG_DFL)",
        "something changed the handler of SIGCHLD",
    ),
    "blocked": (
        "signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())",
        "something changed the blocked signals",
    ),
    "children": (
        "for _ in range(100):\n    try: os.waitpid(-1, os.WNOHANG)\n    except OSError: pass\n    gevent.sleep(0.01)",
        "somebody else has collected 1 process of ours; the exit status is unknown and counts as 255",
    ),
}


@pytest.fixture
def hostile(tmp_path: Path) -> Hostile:
    return starter(tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("name", DEEDS)
def test_whatever_a_plugin_leaves_to_the_process_the_jobs_go_on(hostile: Hostile, name: str) -> None:
    deed, told = DEEDS[name]
    before = {"heavy": "import threading\nimport gevent\n"}
    with hostile(once(deed), kind="observer", hurried=True, before=before) as corepilot:
        corepilot.until(told)
        ticks_on(corepilot)
        assert corepilot.stop(8) == 0
        assert f"observer {NAMED}" in corepilot.output
        assert SECRET not in corepilot.output
        assert "Traceback" not in corepilot.output


@pytest.mark.slow
@pytest.mark.parametrize("deed", ["signal.set_wakeup_fd(-1)", "sys.stdout.close()", "sys.stdout = sys.stderr = None"])
def test_a_stop_is_heard_and_is_in_order_whatever_has_been_taken_away(hostile: Hostile, deed: str) -> None:
    with hostile(once(deed), kind="observer") as corepilot:
        corepilot.until_ready()
        corepilot.until("runs")
        assert corepilot.stop(3) == 0
        assert "no process had to be killed" in corepilot.output


@pytest.mark.slow
def test_a_stop_is_heard_while_a_greenlet_of_a_plugin_ignores_it_again_and_again(hostile: Hostile) -> None:
    deed = """def ignore():
    while True:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        gevent.sleep(0.5)
gevent.spawn(ignore)"""
    with hostile(once(deed), kind="observer", before={"heavy": "import signal\nimport gevent\n"}) as corepilot:
        corepilot.until("something changed the handler of SIGTERM outside of any call; it is put back")
        assert corepilot.stop(3) == 0
        assert f"In use: observer {NAMED}" in corepilot.output


@pytest.mark.slow
@pytest.mark.parametrize("deed", ["signal.signal(signal.SIGALRM, signal.SIG_IGN)", "signal.alarm(0)"])
def test_a_plugin_that_takes_the_alarm_away_and_never_returns_is_found_by_the_guard(
    hostile: Hostile, deed: str
) -> None:
    with hostile(once(f"{deed}\nwhile True: pass"), kind="observer", hurried=True) as corepilot:
        assert corepilot.wait() == 70
        assert "has not turned its event loop for " in corepilot.output
        assert f"it was busy with observer {NAMED}, observe" in corepilot.output


@pytest.mark.slow
def test_what_a_plugin_that_swallows_the_interruption_does_by_itself_is_named(hostile: Hostile) -> None:
    deed = """def swallow():
    while True:
        try: time.sleep(1)
        except BaseException: pass
gevent.spawn(swallow)"""
    before = {"heavy": "import gevent\n"}
    with hostile(once(deed), kind="observer", hurried=True, before=before) as corepilot:
        assert corepilot.wait() == 70
        assert f"it was busy with observer {NAMED}, " in corepilot.output


@pytest.mark.slow
def test_a_supervisor_that_somebody_has_stopped_is_not_taken_for_stuck(hostile: Hostile) -> None:
    with hostile("pass", kind="observer", hurried=True) as corepilot:
        corepilot.until_ready()
        os.kill(corepilot.supervisor, signal.SIGSTOP)
        time.sleep(5)
        os.kill(corepilot.supervisor, signal.SIGCONT)
        ticks_on(corepilot)
        assert corepilot.stop() == 0
