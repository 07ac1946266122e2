"""Plugins that return and raise what has hostile methods of its own, in a real corepilot: only plain values get in."""

from pathlib import Path

import pytest
from hostile import NAMED, SECRET, Hostile, starter, ticks_on

MUTE = """
        class Mute({base}):
            def __str__(self): raise RuntimeError("no text")
            __repr__ = __str__
        raise Mute()"""
LOOPING = """
        class Looping({base}):
            def __str__(self):
                while True: pass
        raise Looping()"""
TEXT = """
        class Text(str):
            def __eq__(self, other): raise RuntimeError("eq")
            def __lt__(self, other): raise RuntimeError("lt")
            def __repr__(self): raise RuntimeError("repr")
            def __hash__(self): return 1"""
AGREEING = TEXT.replace('raise RuntimeError("eq")', "return True")

FAULTS = {
    "mute": ("observer", f"def observe(self, fact):{MUTE.format(base='Exception')}", "observe raised Mute"),
    "looping": (
        "observer",
        f"def observe(self, fact):{LOOPING.format(base='Exception')}",
        "observe raised Looping, whose text held the event loop up",
    ),
    "timeout": ("observer", "def observe(self, fact): raise gevent.Timeout(1)", "observe raised Timeout: 1 second"),
    "left timeout": (
        "observer",
        "def observe(self, fact): gevent.Timeout(0.1).start()",
        "what observe left behind raised Timeout: 0.1 second",
    ),
    "stop": ("observer", "def observe(self, fact): next(iter(()))", "observe raised StopIteration"),
    "memory": ("observer", "def observe(self, fact): raise MemoryError", "observe raised MemoryError"),
    "depth": ("observer", "def observe(self, fact): sys.setrecursionlimit(30)", "observe changed the recursion limit"),
    "made late": (
        "observer",
        "def __init__(self, options, context): gevent.sleep(1000)",
        "__init__ did not return within 1 s, and was given up; it observes nothing",
    ),
    "made with a timeout": (
        "observer",
        "def __init__(self, options, context): raise gevent.Timeout(1)",
        "__init__ raised Timeout: 1 second",
    ),
    "started": ("sink", "def start(self): raise StopIteration", "start raised StopIteration"),
    "dropped": (
        "sink",
        "@property\n    def dropped(self): return 10**6000",
        "dropped must be a number of things, and is a int",
    ),
    "interval": (
        "sink",
        "class Odd(float):\n        def __float__(self): raise RuntimeError\n    interval_s = Odd(3)",
        "interval_s must be a number of seconds from 0 to 86400, and is 3.0",
    ),
    "check": ("check", f"def ask(self, deadline_s):{LOOPING.format(base='CheckFailed')}", "ask held the event loop up"),
    "unmade": (
        "check",
        "def __init__(self, options, context): raise KeyError('init')",
        "__init__ raised KeyError: 'init'",
    ),
    "class": (
        "check",
        (
            "def ask(self, deadline_s):\n        class Odd:\n            __class__ = property(lambda self: 1 / 0)\n"
            "        return Odd()"
        ),
        "ask raised ZeroDivisionError",
    ),
    "huge": (
        "backend",
        "def watch(self, query): yield 10**6000",
        "watch must yield tuples of corepilot.model.service.Instance, and yielded a int",
    ),
    "stream": (
        "backend",
        (
            "def watch(self, query):\n        class Odd:\n            def __next__(self): raise KeyError('next')\n"
            "            close = property(lambda self: 1 / 0)\n        return Odd()"
        ),
        "closing the stream of watch raised ZeroDivisionError",
    ),
    "status": (
        "backend",
        (f"def watch(self, query):{AGREEING}\n        yield (Instance('a', 'web', '::1', 1, Text('evil')),)"),
        "watch must yield instances whose status is one of passing, warning, critical",
    ),
}


@pytest.fixture
def hostile(tmp_path: Path) -> Hostile:
    return starter(tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("name", FAULTS)
def test_whatever_methods_a_value_has_it_is_a_fault_of_the_plugin(hostile: Hostile, name: str) -> None:
    kind, deed, told = FAULTS[name]
    with hostile(deed, kind=kind) as corepilot:
        corepilot.until(told)
        ticks_on(corepilot)
        assert corepilot.client("status").returncode == 0
        assert corepilot.stop(8) == 0
        assert f"{kind} {NAMED}" in corepilot.output
        assert "Traceback" not in corepilot.output


@pytest.mark.slow
def test_texts_of_a_class_of_their_own_become_plain_ones(hostile: Hostile) -> None:
    deed = (
        f"def watch(self, query):{TEXT}\n"
        "        yield tuple(Instance(Text(one), 'web', Text('::1'), 1, 'passing') for one in 'ba')\n"
        "        gevent.sleep(1000)"
    )
    with hostile(deed) as corepilot:
        corepilot.until_ready()
        ticks_on(corepilot)
        [watch] = corepilot.status()["watches"]
        assert (watch["passing"], watch["last_error"]) == (2, "")
        assert corepilot.stop() == 0
        assert "hostile: " not in corepilot.output


REFUSING = f"""def register(self, *a):
        raise BackendRefusedError(f"no {{self.options.token}}\\n\\x1b[31m")
    def watch(self, query):{MUTE.format(base="BackendUnavailableError")}
        yield"""
SECRETS = {
    "refused": ("backend", REFUSING, "no ***\\n\\x1b[31m"),
    "unavailable": ("backend", REFUSING, "watch.web: Mute; trying again"),
    "os error": ("sink", "def flush(self): raise OSError(5, self.options.token + '\\n')", "[Errno 5] ***\\n;"),
    "start": ("sink", "def start(self): raise OSError(5, self.options.token)", "[Errno 5] ***; no telemetry"),
    "address": (
        "sink",
        (
            "@property\n    def address(self): return 'http://' + self.options.token + '\\n'\n"
            "    def flush(self): raise OSError('down')"
        ),
        "cannot send telemetry to http://***\\n: down",
    ),
    "repr": ("observer", "def observe(self, fact): raise KeyError(self.options)", "Options(token='***')"),
    "quoted": (
        "observer",
        (
            "def observe(self, fact):\n        import urllib.parse\n"
            "        self.context.log('info', 'at ' + urllib.parse.quote(self.options.token, safe='') + '!')"
        ),
        "at ***!",
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", SECRETS)
def test_no_secret_gets_out_with_an_answer_or_an_error(hostile: Hostile, name: str) -> None:
    kind, deed, told = SECRETS[name]
    with hostile(deed, kind=kind, before={"heavy": "from corepilot.errors import *\n"}) as corepilot:
        corepilot.until(told)
        shown = corepilot.client("status", "-o", "json").stdout
        assert corepilot.stop() == 0
        for text in (corepilot.output, shown):
            assert SECRET not in text
            assert SECRET.replace("/", "%2F") not in text
