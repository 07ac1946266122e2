"""Who keeps a file as it should be: what it does about a process that hangs, and about what is not known."""

from typing import Any

import pytest
from gevent.event import AsyncResult

from corepilot.model.configuration import Render, Watch
from corepilot.rendering.exchange import RenderAnswer, decode_request, encode_answer
from corepilot.supervisor import file_maker
from corepilot.supervisor.conversation import Answer, ConversationError
from corepilot.supervisor.file_maker import FileMaker
from corepilot.system.semaphore import BoundedSemaphore
from corepilot.system.signal_names import Signalled


class World:
    """A maker, and the process that it asks."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.asked: list[Any] = []
        self.answers: list[Answer | Exception] = []
        self.events: list[str] = []
        self.lines: list[str] = []
        monkeypatch.setattr(file_maker, "converse", self.converse)
        self.maker = FileMaker(
            Render("x", "template", "/x"),
            lambda: [(Watch("a"), None), (Watch("b"), None)],
            dict,
            publish=lambda event: self.events.append(event.code),
            log=lambda _level, message: self.lines.append(message),
            turns=BoundedSemaphore(1),
            reaper=None,  # type: ignore[arg-type]  # nothing is spawned
        )

    def converse(self, _module: str, question: bytes, *_: Any, **__: Any) -> Answer:
        self.asked.append(decode_request(question))
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def answer(self, *fields: Any) -> None:
        self.answers.append(Answer(encode_answer(RenderAnswer(*fields)), 0, AsyncResult()))

    def make(self) -> float:
        """Make it once; the seconds until the next try."""
        return self.maker._take(self.maker._make())


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    return World(monkeypatch)


def test_at_most_one_process_hangs(world: World) -> None:
    hanging: AsyncResult[int] = AsyncResult()
    world.answers.append(Answer(b"", None, hanging))
    assert world.make() > 0
    assert "not made within" in world.maker.last_error
    assert world.make() > 0
    assert "still hangs" in world.maker.last_error
    assert len(world.asked) == 1
    hanging.set(137)
    world.answer("written", "", ("a",))
    assert world.make() == 0
    assert world.maker.last_error == ""
    assert world.events == ["changed", "healthy"]


def test_a_process_that_dies_or_cannot_be_started_is_tried_again(world: World) -> None:
    world.answers = [Answer(b"", Signalled(137), AsyncResult()), ConversationError("no descriptors")]
    assert world.make() > 0
    assert world.maker.last_error == "cannot make /x: the process that makes it ended with signal: killed"
    assert world.make() > 0
    assert "no descriptors" in world.maker.last_error
    assert len(world.lines) == 1


def test_events_come_once_for_each_change(world: World) -> None:
    for result in ("same", "written", "same", "template", "file", "same", "written"):
        world.answer(result, "why" if result in {"template", "file"} else "", ("a",))
        world.make()
    assert world.events == ["healthy", "changed", "unhealthy", "healthy", "changed"]
    assert (world.maker.writes, world.maker.failures) == (2, 2)


def test_it_decides_by_what_the_template_has_looked_at(world: World) -> None:
    assert world.maker.looks_at("b")  # as long as nothing is known of the template
    world.answer("same", "", ("a",))
    world.make()
    assert (world.maker.looks_at("a"), world.maker.looks_at("b")) == (True, False)
    world.answer("waits", "b", ("a", "b"))  # it has not been told of b
    world.answer("same", "", ("a", "b"))
    world.make()
    assert world.maker.looks_at("b")
    assert world.maker.waits_for == ""
    assert len(world.asked) == 3
