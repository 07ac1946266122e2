"""Light imports: they save what they say, and take nothing away."""

import socket
import subprocess
import sys
import threading
from pathlib import Path

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


def test_gevent_shows_what_has_failed_without_pprint() -> None:
    program = """
import io, sys
import gevent
assert not {"textwrap", "pprint", "zope", "traceback", "heapq"} & {*sys.modules}
hub = gevent.get_hub()
hub.exception_stream = io.StringIO()
gevent.spawn(int, "five").join()
assert "ValueError" in hub.exception_stream.getvalue(), hub.exception_stream.getvalue()
hub.handle_error({"where": 1}, *gevent.spawn(int, "six").exc_info or (ValueError, ValueError("six"), None))
assert "{'where': 1} failed with ValueError" in hub.exception_stream.getvalue(), hub.exception_stream.getvalue()
assert "pprint" not in sys.modules
import textwrap
assert textwrap.dedent("  a") == "a"
gevent.config.print_help()
"""
    run(LIGHT + program)


def test_what_fails_where_nothing_can_be_imported_is_shown_by_python_itself() -> None:
    program = """
import sys
import gevent
class Refusing:
    def find_spec(self, name, *_):
        if name == "traceback":
            raise OSError(24, "Too many open files")
sys.meta_path.insert(0, Refusing())
shown = []
sys.__excepthook__ = lambda *what: shown.append(what)
gevent.spawn(int, "five").join()
assert "traceback" not in sys.modules
assert [kind for kind, _value, _trace in shown] == [ValueError], shown
"""
    run(LIGHT + program)


def test_sockets_send_files_without_selectors_from_the_start() -> None:
    program = """
import sys
from corepilot.system.light_imports import import_socket
import_socket()
import socket, tempfile
assert "selectors" not in sys.modules
one, other = socket.socketpair()
with tempfile.TemporaryFile() as file:
    file.write(b"sent")
    file.seek(0)
    one.sendfile(file)
assert other.recv(9) == b"sent"
assert type(sys.modules["selectors"]).__name__ == "module"
"""
    run(program)


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
@dataclass
class Documented:
    "With a docstring."
    a: int
    b: list = field(default_factory=list)
@dataclass
class Derived(Documented):
    "With a field more, and with none of its own below."
    c: int = 0
@dataclass
class Same(Derived):
    "Its fields are its bases'."
assert asdict(Documented(1)) == {"a": 1, "b": []}
assert asdict(Same(1)) == {"a": 1, "b": [], "c": 0}
"""


def test_a_documented_dataclass_needs_no_inspect() -> None:
    run(f"{DATACLASS}\nassert 'inspect' not in sys.modules")


def test_nor_does_one_without_a_docstring() -> None:
    program = """
@dataclass
class Bare:
    a: int = 1
assert Bare.__doc__ == "Bare(...)", Bare.__doc__
assert 'inspect' not in sys.modules
import inspect
assert type(inspect).__name__ == "module" and str(inspect.signature(Bare)) == "(a: int = 1) -> None"
"""
    run(DATACLASS + program)


def test_more_of_inspect_is_there_when_dataclasses_asks_for_it() -> None:
    run(f"{DATACLASS}\nimport dataclasses\nassert dataclasses.inspect.isclass(Documented)")


PLUGGY = """
import sys
from corepilot.system.light_imports import import_dataclasses, import_pluggy
import_dataclasses()
import_pluggy()
from types import ModuleType
import pluggy
from corepilot.plugin import hookimpl
from corepilot.plugin.manager import Plugins, _Hooks
plugins = Plugins()
"""


def test_hooks_of_a_module_need_no_inspect() -> None:
    program = """
module = ModuleType("observer")
exec('''
from corepilot.plugin import hookimpl
kept: list[object] = []
@hookimpl
def corepilot_register_observer():
    return 5
''', vars(module))
plugins._hooks.register(module, "observer:observer")
plugins._hooks.check_pending()
assert plugins._hooks.hook.corepilot_register_observer() == [5]
assert 'inspect' not in sys.modules
"""
    run(PLUGGY + program)


def test_a_hook_with_a_wrong_argument_is_refused_as_with_inspect() -> None:
    program = """
module = ModuleType("observer")
@hookimpl
def corepilot_register_observer(happening):
    pass
module.corepilot_register_observer = corepilot_register_observer
try:
    plugins._hooks.register(module, "sink:observer")
except pluggy.PluginValidationError as error:
    assert "corepilot_register_observer(happening)" in str(error) and "{'happening'}" in str(error), error
else:
    raise AssertionError("it was taken")
"""
    run(PLUGGY + program)


def test_pluggy_is_told_of_modules_and_functions_what_inspect_says() -> None:
    program = """
import functools, inspect, json
from corepilot.system import light_imports
light = light_imports._InspectOfPluggy("inspect")
class Kind:
    slot = property(lambda self: 1)
    def method(self): pass
    @classmethod
    def of_class(cls): pass
@functools.wraps(Kind.method)
def wrapping(self): pass
module = ModuleType("one", "its docstring")
module.__annotations__ = {"a": int}
module.function = wrapping
functions = [Kind.method, Kind().method, Kind.of_class, Kind.slot, wrapping, len, str.join]
things = [Kind, Kind(), *functions, json, module, 5]
for thing in things:
    for question in ("isclass", "ismodule", "isfunction", "ismethod", "isroutine"):
        assert getattr(light, question)(thing) == getattr(inspect, question)(thing), (question, thing)
    if callable(thing):
        assert light.unwrap(thing) is inspect.unwrap(thing), thing
    for name in {*dir(thing), "missing"}:
        assert light.getattr_static(thing, name, None) is inspect.getattr_static(thing, name, None), (thing, name)
try:
    light.getattr_static(module, "missing")
except AttributeError:
    pass
else:
    raise AssertionError("it is there")
"""
    run(PLUGGY + program)


@pytest.mark.parametrize("before", ["import pluggy", "import inspect"])
def test_a_pluggy_or_inspect_that_is_loaded_is_left_alone(before: str) -> None:
    run(f"{before}\n{PLUGGY}\nassert type(pluggy._manager.inspect).__name__ == 'module'")


SUPERVISOR = """
import sys
from corepilot.system import light_imports
compiled = []
def heard(event, arguments):
    if event == "compile" and sys._getframe().f_back and "typing" in sys._getframe().f_back.f_code.co_filename:
        compiled.append(arguments[0])
sys.addaudithook(heard)
light_imports.import_dataclasses()
light_imports.import_gevent()
import corepilot.supervisor.app
light_imports.import_socket()
light_imports.import_h11()
import corepilot.supervisor.reloader, corepilot.supervisor.target, corepilot.control.server
light_imports.import_pluggy()
import corepilot.plugin.manager, corepilot.discovery.opening, corepilot.supervisor.catalog
import corepilot.discovery.registrar, corepilot.discovery.lock_keeper
"""


@pytest.mark.parametrize(
    "backend",
    [
        "corepilot.discovery.embedded.backend",
        "corepilot_consul.backend",
        "corepilot_etcd.backend",
        "corepilot_zookeeper.backend",
    ],
)
def test_the_supervisor_compiles_no_types(backend: str) -> None:
    light = {"traceback", "inspect", "copy", "selectors", "textwrap", "ast"}
    run(f"{SUPERVISOR}\nassert not {light} & {{*sys.modules}}\nimport {backend}\nassert not compiled, compiled")


def test_what_only_some_outputs_need_is_not_on_the_way_to_the_first_job() -> None:
    rare = (
        "output.ring",
        "output.follower",
        "output.files",
        "output.job_file",
        "output.delivery",
        "output.structure",
        "supervisor.tail",
    )
    run(f"""
import sys
import corepilot.supervisor.app
assert not [name for name in {rare} if f"corepilot.{{name}}" in sys.modules]
""")


def test_h11_has_its_real_typing_back_afterwards() -> None:
    program = """
from corepilot.system.light_imports import import_h11
import_h11()
import sys, typing, h11
assert type(sys.modules["typing"]).__name__ == "module" and sys.modules["typing"] is typing
connection = h11.Connection(h11.CLIENT)
assert connection.send(h11.Request(method="GET", target="/", headers=[("host", "a")])).startswith(b"GET / ")
class Keys(typing.TypedDict, total=False):
    a: int
assert Keys.__total__ is False
"""
    run(program)


HEAVY = ("typing", "collections", "enum", "re", "json", "socket", "signal", "argparse", "importlib", "contextlib")
"""What takes milliseconds to import, and is not needed to ask one question or to wrap one command."""


@pytest.mark.parametrize(
    "words",
    [
        ["ping", "--socket", "SOCKET"],
        ["ping", "-c", "FILE"],
        ["health", "--live", "--socket", "SOCKET"],
        ["--version"],
        ["--", sys.executable, "-c", ""],
    ],
    ids=" ".join,
)
def test_what_runs_every_few_seconds_and_what_wraps_a_command_import_little(tmp_path: Path, words: list[str]) -> None:
    (tmp_path / "file").write_text("{jobs: []}")
    places = {"SOCKET": str(tmp_path / "socket"), "FILE": str(tmp_path / "file")}
    program = f"""
import os, sys
before = {{*sys.modules}}
def leave(status):
    heavy = ({{*sys.modules}} - before) & {{*{HEAVY!r}}}
    print("heavy:", sorted(heavy), file=sys.stderr, flush=True)
    end(status)
end, os._exit = os._exit, leave
sys.argv[1:] = {[places.get(word, word) for word in words]!r}
from corepilot.cli.main import main
leave(main())
"""
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(places["SOCKET"])
        server.listen()
        answer = b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok"
        answering = threading.Thread(target=_answer, args=(server, answer))
        answering.start()
        try:
            command = [sys.executable, "-I", "-c", program]
            found = subprocess.run(
                command, capture_output=True, text=True, timeout=60, check=False, env={"XDG_RUNTIME_DIR": "relative"}
            )
        finally:
            server.shutdown(socket.SHUT_RDWR)
            answering.join()
    assert found.stderr.endswith("heavy: []\n"), found.stderr
    if "SOCKET" in words:
        assert (found.stdout, found.returncode) == ("ok\n", 0)


def _answer(server: socket.socket, answer: bytes) -> None:
    while True:
        try:
            connection, _ = server.accept()
        except OSError:
            return  # shut down
        with connection:
            connection.recv(65536)
            connection.sendall(answer)


def test_nothing_on_the_way_to_the_first_job_imports_regular_expressions_and_enumerations() -> None:
    run("""
import sys
from corepilot.supervisor import boot
from corepilot.system import light_imports, light_typing
light_typing.begin()
from corepilot.config.loading import loader
light_imports.import_gevent()
from corepilot.supervisor import app
found = {"typing", "re", "enum", "dataclasses", "signal", "json"} & {*sys.modules}
assert found <= {"typing"}, found
from gevent._tblib import FRAME_RE
assert FRAME_RE.match('  File "x.py", line 5, in y')["co_name"] == "y"
light_typing.end()
light_imports.import_h11()
assert "inspect" not in sys.modules
""")
