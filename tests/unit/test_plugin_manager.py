"""Loading plugins: one test for each way in which a plugin can be wrong, and observers that do not harm each other."""

import importlib
import itertools
import os
import re
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gevent
import pytest

from corepilot.discovery.backend import Backend
from corepilot.errors import PluginError
from corepilot.model.plugin import Options, PluginReference
from corepilot.model.service import Query, Snapshot
from corepilot.plugin import hookimpl, hookspec, manager
from corepilot.plugin.footprint import Footprint
from corepilot.plugin.hookspec import KINDS
from corepilot.plugin.manager import Plugins

HEAD = """
from dataclasses import dataclass
from corepilot.plugin import OptionError, hookimpl, option
API = "1.0"
CAPABILITIES = frozenset({"services", "register", "watch"})
"""
BACKEND = """
from corepilot.discovery.backend import Backend
class Good(Backend):
    address = "here"
    def register(self, registration, status, output): pass
    def report(self, instance_id, status, output, valid_for_s): pass
    def deregister(self, instance_id): pass
    def watch(self, query): yield ()
    def close(self): pass
class Half(Good):
    pass
Half.__abstractmethods__ = frozenset({"watch", "close"})
"""
HOOK = """
@hookimpl
def corepilot_register_backend():
    from {backend} import Good
    return Good
"""
_NAMES = itertools.count()

Write = Callable[..., PluginReference]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Write]:
    """Writes a light module (and a backend module beside it) that can be imported; returns its configuration."""
    monkeypatch.syspath_prepend(str(tmp_path))
    made: list[str] = []

    def one(
        text: str = HOOK, options: dict[str, Any] | None = None, head: str = HEAD, attribute: str = ""
    ) -> PluginReference:
        name = f"plugin_under_test_{next(_NAMES)}"
        (tmp_path / f"{name}.py").write_text(head + text.replace("{backend}", f"{name}_backend"))
        (tmp_path / f"{name}_backend.py").write_text(BACKEND)
        made.extend((name, f"{name}_backend"))
        importlib.invalidate_caches()
        return PluginReference(
            "note", name, attribute, "corepilot-note", "1.2", Options(tuple((options or {}).items()))
        )

    yield one
    for name in made:
        sys.modules.pop(name, None)


def refusal(config: PluginReference, plugins: Plugins | None = None, kind: str = "backend") -> str:
    with pytest.raises(PluginError) as caught:
        (plugins or Plugins()).load(config, kind)
    text = str(caught.value)
    begin = f"cannot load {kind} 'note' (corepilot-note 1.2): "
    assert text.startswith(begin), text
    return re.sub(r"^/\S+/plugin_under_test_\d+\.py: ", "", text.removeprefix(begin))


def test_a_good_plugin_gives_its_class_options_and_capabilities(write: Write) -> None:
    text = """
CAPABILITIES = frozenset({"services", "watch"})
@dataclass(frozen=True)
class Tls:
    verify: bool = option(help="verify", default=True)
@dataclass(frozen=True)
class Options:
    path: str = option(help="where")
    tls: Tls = option(help="tls", default=Tls())
"""
    loaded = Plugins().load(write(text + HOOK, {"path": "/p", "tls": {"verify": False}}))
    assert issubclass(loaded.implementation, Backend)
    assert (loaded.options.path, loaded.options.tls.verify) == ("/p", False)
    assert loaded.capabilities == {"services", "watch"}
    assert (loaded.name, loaded.kind) == ("note", "backend")


def test_a_plugin_without_options_gets_none(write: Write) -> None:
    assert Plugins().load(write()).options is None
    assert refusal(write(options={"b": 1, "a": 2})) == "it has no options, and was given a, b"


def test_the_entry_point_may_name_an_attribute(write: Write) -> None:
    text = "class holder:\n    class light:\n        API = '1.0'\n        CAPABILITIES = CAPABILITIES\n"
    text += "        @staticmethod\n        @hookimpl\n"
    text += (
        "        def corepilot_register_backend():\n            from {backend} import Good\n            return Good\n"
    )
    assert Plugins().load(write(text, attribute="holder.light")).implementation.__name__ == "Good"
    assert "holder.dark, which does not exist" in refusal(write(text, attribute="holder.dark"))


def test_missing(write: Write) -> None:
    config = write()
    gone = PluginReference("note", f"{config.module}x", "", "corepilot-note", "1.2")
    inner = PluginReference("note", f"{config.module}x.plugin", "", "corepilot-note", "1.2")
    for one in (gone, inner):
        assert refusal(one) == (
            f"its module {one.module}, which its entry point names, is not there; install it again with: "
            f"{sys.executable} -m pip install --force-reinstall corepilot-note"
        )


def test_broken(write: Write) -> None:
    assert refusal(write("import no_such_library")) == "it needs no_such_library, which is not installed"
    assert re.search(
        r"failed: ZeroDivisionError: division by zero \(\S+plugin_under_test_\d+.py:6\)$", refusal(write("1 / 0"))
    )
    assert "SyntaxError" in refusal(write("def"))
    assert "SystemExit: 3" in refusal(write("raise SystemExit(3)"))
    assert "Timeout: 1 second" in refusal(write("import gevent; raise gevent.Timeout(1)"))
    assert "Own: x" in refusal(write("class Own(BaseException): pass\nraise Own('x')"))
    assert "cannot be looked at: ValueError: dir" in refusal(write(HOOK + "def __dir__(): raise ValueError('dir')\n"))
    with pytest.raises(PluginError) as caught:
        Plugins().load(write("raise RuntimeError('x')"))
    assert isinstance(caught.value.__cause__, RuntimeError)


def test_an_import_that_waits_is_given_up(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(manager, "LOADING_S", 0.01)
    text = HOOK.replace("    from", "    import gevent; gevent.sleep(1000)\n    from")
    assert "corepilot_register_backend failed: Timeout: 0.01 seconds" in refusal(write(text))


def test_what_stands_beside_the_hooks_may_be_of_any_kind(write: Write) -> None:
    proxy = "class Proxy:\n    def __getattribute__(self, name): raise RuntimeError('no context')\nrequest = Proxy()\n"
    assert Plugins().load(write(proxy + HOOK)).implementation.__name__ == "Good"


def test_another_version_of_the_interface(write: Write) -> None:
    text = refusal(write("API = '99.0'"))
    assert "made for version '99.0'" in text
    assert f"has version {hookspec.API_VERSION} of the plugin interface" in text
    major, minor = hookspec.API_VERSION.split(".")
    for other in (f"{int(major) + 1}.{minor}", f"{major}.{int(minor) + 1}", major, "", "x.y"):
        assert f"made for version {other!r}" in refusal(write(f"API = {other!r}"))
    assert "API is missing: it says which plugin interface it was made for" in refusal(write("del API"))
    assert "API is a text, and not 1.0: " in refusal(write("API = 1.0"))


def test_no_hook(write: Write) -> None:
    assert refusal(write("")) == "a backend must implement corepilot_register_backend; it implements no hook at all"
    assert refusal(write(), kind="sink").endswith("it implements only corepilot_register_backend")


def test_a_hook_that_is_not_marked(write: Write) -> None:
    text = HOOK.replace("@hookimpl", "")
    assert (
        refusal(write(text)) == "corepilot_register_backend is not marked; put @hookimpl from corepilot.plugin above it"
    )


def test_a_hook_that_does_not_exist(write: Write) -> None:
    for mark in ("", "@hookimpl\n"):
        text = f"{HOOK}{mark}def corepilot_register_obsever(): pass\n"
        known = "did you mean 'corepilot_register_observer'?"
        assert refusal(write(text)) == f"there is no hook 'corepilot_register_obsever'; {known}"
    text = f"{HOOK}@hookimpl\ndef unheard_of(event): pass\n"
    assert "there is no hook 'unheard_of'" in refusal(write(text))


def test_a_hook_with_arguments_that_it_does_not_have(write: Write) -> None:
    text = refusal(write(HOOK + "@hookimpl\ndef corepilot_register_sink(extra): pass\n"))
    assert text == "corepilot_register_sink takes arguments, and is called with none; remove them"


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("raise ValueError('no')", "corepilot_register_backend failed: ValueError: no"),
        ("raise SystemExit", "corepilot_register_backend failed: SystemExit"),
        ("import no_such_thing", "ModuleNotFoundError: No module named 'no_such_thing'"),
        ("return None", "must return a subclass of corepilot.discovery.backend.Backend, and returned None"),
        ("return int", "and returned <class 'int'>"),
        ("from {backend} import Good; return Good", ""),
        ("from {backend} import Half; return Half", "Half does not implement close, watch"),
    ],
)
def test_what_the_hook_may_return(write: Write, body: str, told: str) -> None:
    config = write(f"@hookimpl\ndef corepilot_register_backend():\n    {body}\n")
    if told:
        assert told in refusal(config)
    else:
        Plugins().load(config)


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("class Good:\n        def read(self, location, deadline_s): pass", ""),
        ("class Good:\n        def reed(self, location, deadline_s): pass", "Good does not implement read"),
        ("Good = 3", "must return a class with the methods of corepilot.sources.source.Source, and returned 3"),
    ],
)
def test_a_contract_that_is_a_protocol_is_about_methods(write: Write, body: str, told: str) -> None:
    config = write(
        f"CAPABILITIES = frozenset()\n@hookimpl\ndef corepilot_register_source():\n    {body}\n    return Good\n"
    )
    if told:
        assert told in refusal(config, kind="source")
    else:
        Plugins().load(config, "source")


def test_what_is_declared_must_have_the_right_type(write: Write) -> None:
    assert "LOCK_TTL_S must be two numbers" in refusal(write("LOCK_TTL_S = (10,)" + HOOK))
    assert "CAPABILITIES must be a frozenset of str" in refusal(write("CAPABILITIES = ['push']" + HOOK))
    misspelt = refusal(write('CAPABILITIES = frozenset({"services", "wacth"})\n' + HOOK))
    assert "CAPABILITIES holds 'wacth': a backend can declare datacenters, expiry, keys" in misspelt
    assert misspelt.endswith("did you mean 'watch'?")
    assert "Options must be a dataclass" in refusal(write("class Options: pass" + HOOK))
    odd = "@dataclass(frozen=True)\nclass Options:\n    x: object = None\n"
    assert "Options.x has a type that no configuration can give" in refusal(write(odd + HOOK))


def test_options_that_refuse_their_values_do_not_show_them(write: Write) -> None:
    text = """
@dataclass(frozen=True)
class Options:
    token: str = option(help="secret", default="", secret=True)
    def __post_init__(self):
        if self.token == "s3cret":
            raise OptionError("token", "it is used up")
        raise RuntimeError("bad: " + self.token)
"""
    assert refusal(write(text + HOOK, {"token": "s3cret"})) == "token: it is used up"
    told = refusal(write(text + HOOK, {"token": "0ther"}))
    assert re.fullmatch(r"its Options refused the values with RuntimeError \(\S+:13\), not with OptionError", told)


@pytest.mark.parametrize(
    ("deed", "named"),
    [
        ("import signal; signal.signal(signal.SIGCHLD, lambda *a: None)", "the handler of SIGCHLD"),
        ("import os; os.chdir('/')", "the working directory"),
        ("import os; os.umask(0o007)", "the umask"),
        ("import sys; sys.setrecursionlimit(900)", "the recursion limit"),
        ("import os; os.environ['COREPILOT_TEST_DEED'] = 's3cret'", "the environment (COREPILOT_TEST_DEED)"),
        (
            "import threading; E = threading.Event(); T = threading.Thread(target=E.wait); T.start()",
            "number of threads",
        ),
    ],
)
@pytest.mark.parametrize("in_hook", [False, True])
def test_what_loading_must_leave_alone(write: Write, deed: str, named: str, *, in_hook: bool) -> None:
    handler, directory, umask = signal.getsignal(signal.SIGCHLD), Path.cwd(), os.umask(0o022)
    os.umask(umask)
    loop: Any = gevent.get_hub().loop
    text = HOOK.replace("    from", f"    global E, T; {deed}\n    from") if in_hook else deed + HOOK
    config = write(text)
    try:
        told = refusal(config)
    finally:
        signal.signal(signal.SIGCHLD, handler)
        loop.reset_sigchld()
        loop.install_sigchld()  # an earlier test may have had children collected, behind Python's back
        os.chdir(directory)
        os.umask(umask)
        os.environ.pop("COREPILOT_TEST_DEED", None)
        module = sys.modules[config.module]
        if isinstance(getattr(module, "E", None), threading.Event):
            module.E.set()
            module.T.join(10)
    assert "changed" in told
    assert named in told
    assert "s3cret" not in told


def test_monkey_patching_is_seen() -> None:
    before = Footprint.take()
    after = before._replace(patched=frozenset({"socket", "os"}))
    assert before.changes_to(after) == ["the standard library, by monkey-patching os, socket"]
    assert after.changes_to(before) == []


def test_a_refused_plugin_is_not_registered_and_can_be_loaded_once_it_is_mended(write: Write) -> None:
    plugins = Plugins()
    config = write()
    light: Any = importlib.import_module(config.module)
    hook, light.corepilot_register_backend = light.corepilot_register_backend, hookimpl(lambda: None)
    assert "must return a subclass" in refusal(config, plugins)
    light.corepilot_register_backend = hook
    assert plugins.load(config).implementation.__name__ == "Good"


def test_one_plugin_may_be_configured_twice(write: Write) -> None:
    plugins = Plugins()
    config = write()
    assert plugins.load(config).implementation is plugins.load(config).implementation


def test_every_hook_has_a_manual_and_every_kind_its_hook() -> None:
    hooks = {name for name in dir(hookspec) if name.startswith("corepilot_")}
    assert {kind.hook for kind in KINDS.values()} == hooks
    for name in hooks:
        assert len(getattr(hookspec, name).__doc__ or "") > 100, name


def test_the_contracts_and_suites_of_the_table_are_there() -> None:
    for kind in KINDS.values():
        for named in (kind.contract, kind.suite):
            module, _, name = named.partition(":")
            assert hasattr(importlib.import_module(module), name), named


def test_a_backend_has_what_it_declares(write: Write) -> None:
    nothing = refusal(write("CAPABILITIES = frozenset()\n" + HOOK))
    assert nothing.startswith('Good declares none of "services", "keys" and "locks" in CAPABILITIES')


class Reading(Backend):
    address = "here"

    def instances(self, query: Query) -> Snapshot:  # noqa: ARG002  - none of any service
        return ()

    def close(self) -> None:
        """Nothing is held."""


@pytest.mark.parametrize(
    ("declared", "missing"),
    [
        ({"services"}, ""),
        ({"keys"}, ""),
        ({"services", "register"}, 'declares "register" and has no method register'),
        ({"services", "watch"}, 'declares "watch" and has no method watch'),
        ({"expiry"}, 'declares none of "services", "keys" and "locks"'),
    ],
)
def test_what_a_backend_has_not_of_what_it_declares(declared: set[str], missing: str) -> None:
    assert Reading.missing(frozenset(declared)).startswith(missing)
    assert bool(Reading.missing(frozenset(declared))) == bool(missing)
