"""Light imports: they save what they say, and take nothing away."""

import subprocess
import sys

import pytest

LIGHT = "from corepilot.system.light_imports import import_gevent; import_gevent()\n"
USE = """
import sys, os, signal
import gevent, gevent.event, gevent.socket, gevent.ssl, gevent.pool, gevent.queue, gevent.server, gevent.util
hub = gevent.get_hub()
assert type(hub.loop).__module__ == "gevent.libev.corecext", type(hub.loop)
assert gevent.spawn(lambda: 5).get() == 5
one, other = gevent.socket.socketpair()
gevent.spawn(one.sendall, b"x")
assert other.recv(1) == b"x"
one.close(), other.close()
assert hub.threadpool.apply(lambda: 7) == 7
got = []
watcher = hub.loop.signal(signal.SIGUSR1)
watcher.start(got.append, 1)
os.kill(os.getpid(), signal.SIGUSR1)
gevent.sleep(0.01)
assert got == [1]
"""


def run(program: str) -> None:
    command = [sys.executable, "-I", "-c", program]
    answer = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert answer.returncode == 0, answer.stderr


def test_gevent_works_and_zope_was_not_loaded() -> None:
    run(f"{LIGHT}{USE}\nassert not [name for name in sys.modules if name.startswith('zope')]")


def test_the_real_zope_interface_can_be_had_afterwards() -> None:
    run(f"{LIGHT}{USE}\nimport zope.interface\nassert zope.interface.Interface.__module__ == 'zope.interface'")


@pytest.mark.parametrize("before", ["import gevent", "import zope.interface"])
def test_what_is_loaded_is_left_alone(before: str) -> None:
    run(f"{before}\n{LIGHT}{USE}\nassert 'zope.interface.declarations' in sys.modules")


def test_a_gevent_that_wants_more_gets_the_real_one() -> None:
    spoil = (
        "import corepilot.system.light_imports as light; del light._class_implements; light._class_implements = None\n"
    )
    run(f"{spoil}light._Attribute = 5\n{LIGHT}{USE}\nassert 'zope.interface.declarations' in sys.modules")


DATACLASS = """
import sys
from corepilot.system.light_imports import import_dataclasses
import_dataclasses()
from dataclasses import asdict, dataclass, field
@dataclass(frozen=True)
class Documented:
    "With a docstring."
    a: int
    b: list = field(default_factory=list)
assert asdict(Documented(1)) == {"a": 1, "b": []}
"""


def test_a_documented_dataclass_needs_no_inspect() -> None:
    asked_at_once = "sys.version_info >= (3, 12)"
    run(f"{DATACLASS}\nassert ('inspect' in sys.modules) == ({asked_at_once})")


def test_nor_does_one_without_a_docstring() -> None:
    program = """
@dataclass
class Bare:
    a: int = 1
later = sys.version_info >= (3, 12)
assert Bare.__doc__ == ("Bare(a: int = 1)" if later else "Bare(...)"), Bare.__doc__
assert ('inspect' in sys.modules) == later
import inspect
assert type(inspect).__name__ == "module" and str(inspect.signature(Bare)) == "(a: int = 1) -> None"
"""
    run(DATACLASS + program)


def test_more_of_inspect_is_there_when_dataclasses_asks_for_it() -> None:
    run(f"{DATACLASS}\nimport dataclasses\nassert dataclasses.inspect.isclass(Documented)")
