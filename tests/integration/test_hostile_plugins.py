"""Plugins that break every rule, in a real corepilot: the jobs go on, the plugin is named, a stop is in time."""

import re
import signal
from pathlib import Path

import pytest
from eventually import eventually
from hostile import NAMED, OBSERVED, WATCHING, Hostile, starter, ticks_on


@pytest.fixture
def hostile(tmp_path: Path) -> Hostile:
    return starter(tmp_path)


DEEDS = {
    "init": ("def __init__(self, options, context): raise KeyError('init')", "__init__ raised KeyError: 'init'"),
    "address": ("@property\n    def address(self): raise KeyError('address')", "address raised KeyError: 'address'"),
    "no text": ("address = 'a\\nb'", "address must be one line of text"),
    "exit": ("def register(self, *a): sys.exit(4)", "register raised SystemExit: 4"),
    "key": ("def report(self, *a): raise KeyError('report')", "report raised KeyError: 'report'"),
    "sleep": ("def register(self, *a): time.sleep(30)", "register held the event loop up"),
    "loop": ("def register(self, *a):\n        while True: pass", "register held the event loop up"),
    "recv": ("def register(self, *a): pair = socket.socketpair(); pair[0].recv(1)", "register held the event loop up"),
    "regex": (
        "def register(self, *a):\n        import re\n        re.match('(a+)+$', 'a' * 40 + 'b')",
        "register held the event loop up",
    ),
    "none": ("def watch(self, query): yield None", "watch must yield tuples of corepilot.model.service.Instance"),
    "list": ("def watch(self, query): return [()]", "watch must return a generator of snapshots"),
    "twice": (
        "def watch(self, query):\n        yield (Instance('a', 'web', '1', 1, 'passing'),) * 2",
        "watch must yield each id once, and yielded 'a' twice",
    ),
    "port": (
        "def watch(self, query):\n        yield (Instance('a', 'web', '1', '80', 'passing'),)",
        "watch must yield instances whose port is a number from 0 to 65535",
    ),
    "leaving": (
        "def watch(self, query):\n        raise gevent.GreenletExit\n        yield",
        "watch raised GreenletExit",
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", DEEDS)
def test_a_backend_that_breaks_a_rule_is_named_and_the_jobs_go_on(hostile: Hostile, name: str) -> None:
    deed, told = DEEDS[name]
    with hostile(deed) as corepilot:
        corepilot.until(told)
        ticks_on(corepilot)
        assert corepilot.client("status").returncode == 0
        assert corepilot.stop() == 0
        assert f"backend {NAMED}: {told}" in corepilot.output
        assert "Traceback" not in corepilot.output
        assert not re.search(r"job app.*killed|killing the job", corepilot.output)


@pytest.mark.slow
@pytest.mark.parametrize(
    "deed",
    [
        "def close(self): time.sleep(20)",
        "def close(self): gevent.sleep(20)",
        "def close(self):\n        while True: pass",
        "def close(self): raise SystemExit(9)",
        "def deregister(self, *a): time.sleep(20)",
        """def deregister(self, *a):
        while True:
            try: gevent.sleep(1)
            except BaseException: pass""",
    ],
)
def test_a_stop_is_in_time_whatever_a_backend_does(hostile: Hostile, deed: str) -> None:
    with hostile(deed) as corepilot:
        corepilot.until_ready()
        ticks_on(corepilot)
        assert corepilot.stop(8) == 0  # what Docker gives is ten
        assert "no process had to be killed" in corepilot.output


@pytest.mark.slow
def test_a_reload_to_a_backend_that_cannot_be_made_is_refused(hostile: Hostile) -> None:
    plain = OBSERVED[OBSERVED.index("discovery") :]
    with hostile("def __init__(self, options, context): raise KeyError('init')", config=plain) as corepilot:
        corepilot.until_ready()
        corepilot.configure(f'{{control: {{socket: "%(dir)s/control.socket"}}, {WATCHING}}}')
        answer = corepilot.client("reload")
        assert answer.returncode == 1
        assert f"backend {NAMED}: __init__ raised KeyError: 'init'" in answer.stderr
        ticks_on(corepilot)
        assert corepilot.stop() == 0


@pytest.mark.slow
@pytest.mark.parametrize("where", ["light", "heavy"])
def test_a_plugin_that_never_ends_its_import_is_named_and_the_jobs_go_on(hostile: Hostile, where: str) -> None:
    """In the supervisor; the loader, which imports the light module as well, has a limit of its own."""
    only = "import sys\nif 'gevent' in sys.modules:\n    while True: pass\n"
    with hostile("pass", kind="observer", before={where: only}) as corepilot:
        corepilot.until("held the event loop up, and was interrupted (")
        ticks_on(corepilot)
        assert corepilot.stop() == 0
        assert "cannot load observer 'hostile' (corepilot-hostile 1.2): " in corepilot.output
        assert f"hostile_{where}.py:3); it observes nothing" in corepilot.output


@pytest.mark.slow
def test_an_observer_that_fails_again_and_again_is_switched_off(hostile: Hostile) -> None:
    with hostile("def observe(self, fact): raise KeyError('no')", kind="observer") as corepilot:
        corepilot.until("is switched off: it failed 20 times in a row")
        ticks_on(corepilot)
        [shown] = corepilot.status()["observers"]
        assert shown["off"].startswith("it failed 20 times in a row")
        assert "switched off" in corepilot.client("status").stdout
        assert corepilot.stop() == 0


@pytest.mark.slow
def test_what_a_plugin_changes_in_the_process_is_put_back_and_told(hostile: Hostile) -> None:
    deed = "def observe(self, fact): signal.signal(signal.SIGTERM, signal.SIG_IGN); os.umask(0); os.chdir('/')"
    with hostile(deed, kind="observer", hurried=True) as corepilot:
        corepilot.until(f"observer {NAMED}: observe changed the handler of SIGTERM; it is put back")
        corepilot.until("something changed the working directory and the umask")
        assert corepilot.stop() == 0
        assert f"In use: observer {NAMED}" in corepilot.output


@pytest.mark.slow
def test_threads_that_a_plugin_leaves_are_named(hostile: Hostile) -> None:
    deed = """def observe(self, fact):
        import threading
        threading.Thread(target=threading.Event().wait, daemon=True, name="left over").start()"""
    with hostile(deed, kind="observer", hurried=True) as corepilot:
        corepilot.until("the threads, by left over")
        assert f"In use: observer {NAMED}" in corepilot.output
        assert corepilot.stop() == 0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("deed", "told"),
    [
        ("os._exit(3)", "exited with status 3 without a stop, in the middle of its work"),
        ("import ctypes; ctypes.string_at(0)", "was killed by SIGSEGV"),
        # A mutex that is locked already: no signal ends that, and the interpreter's lock is held.
        (
            """import ctypes
        lock = ctypes.create_string_buffer(64)
        for _ in '12': ctypes.PyDLL(None).pthread_mutex_lock(lock)""",
            "has not turned its event loop for 3 s: aborted",
        ),
        (
            "\n        while True:\n            try: time.sleep(1)\n            except BaseException: pass",
            "has not turned its event loop for 3 s: aborted",
        ),
    ],
)
def test_what_cannot_be_contained_ends_all_jobs_with_70_and_names_the_plugin(
    hostile: Hostile, deed: str, told: str
) -> None:
    with hostile(f"def observe(self, fact):\n        {deed}", kind="observer", hurried=True) as corepilot:
        assert corepilot.wait() == 70
        assert told in corepilot.output
        assert f"it was busy with observer {NAMED}, observe" in corepilot.output


@pytest.mark.slow
def test_a_stop_while_a_plugin_holds_the_event_loop_up_begins_at_once(hostile: Hostile) -> None:
    deed = "def observe(self, fact):\n        open('blocked', 'w').close(); time.sleep(30)"
    with hostile(deed, kind="observer") as corepilot:
        eventually((corepilot.directory / "blocked").exists)
        corepilot.signal(signal.SIGTERM)
        assert corepilot.wait(8) == 0
        assert "no process had to be killed" in corepilot.output


@pytest.mark.slow
def test_what_a_plugin_logs_is_escaped_and_cut(hostile: Hostile) -> None:
    deed = "def __init__(self, o, c): c.log('warning', 'one\\n\\x1b[31mtwo' + 'x' * 100_000); c.log('odd', 3)"
    with hostile(deed, kind="observer") as corepilot:
        corepilot.until("hostile: 3")
        [line] = [line for line in corepilot.output.splitlines() if "one" in line and "two" in line]
        assert "hostile: one\\n\\x1b[31mtwo" in line
        assert len(line) < 5000
        assert corepilot.stop() == 0


@pytest.mark.slow
def test_stopping_with_a_watch_open_is_silent(hostile: Hostile) -> None:
    with hostile("pass") as corepilot:
        corepilot.until_ready()
        ticks_on(corepilot)
        assert corepilot.stop() == 0
        assert "cannot watch" not in corepilot.output
