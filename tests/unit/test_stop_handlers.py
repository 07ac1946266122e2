"""The handlers of the signals that ask for a stop: put back after each call into a plugin."""

import signal
from collections.abc import Iterator

import pytest

from corepilot.plugin.boundary import Boundary, PluginFaultError
from corepilot.plugin.manager import Loaded
from corepilot.plugin.stop_handlers import StopHandlers

TITLE = "observer 'audit' (corepilot-audit 1.2)"


@pytest.fixture
def _taken() -> Iterator[None]:
    """Both signals have a handler: who is started in the background is given SIGINT ignored."""
    given = {number: signal.signal(number, signal.default_int_handler) for number in (signal.SIGTERM, signal.SIGINT)}
    yield
    for number, handler in given.items():
        signal.signal(number, handler)


@pytest.mark.usefixtures("_taken")
def test_the_handlers_that_a_stop_depends_on_are_put_back_after_each_call() -> None:
    lines: list[str] = []
    loaded = Loaded("audit", "observer", None, None, frozenset(), __name__, "corepilot-audit 1.2", ())
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    handlers = StopHandlers()
    boundary = Boundary(loaded, lambda _level, text: lines.append(text), put_back=handlers.put_back)

    def take() -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        raise KeyError("x")

    with pytest.raises(PluginFaultError):
        boundary.call("observe", take)
    assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == before
    assert lines == [f"{TITLE}: observe changed the handler of SIGTERM and SIGINT; it is put back"]
    assert handlers.put_back() == ""
