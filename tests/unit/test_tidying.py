"""What is done some time after something has happened, on a loop of our own."""

from collections.abc import Callable
from typing import Any

from corepilot.supervisor.tidying import Tidying


class Loop:
    """One timer at a time."""

    def __init__(self) -> None:
        self.due: Callable[[], None] | None = None

    def timer(self, _seconds: float, *, ref: bool) -> Any:
        assert not ref
        assert self.due is None
        return self

    def start(self, due: Callable[[], None]) -> None:
        self.due = due

    def stop(self) -> None:
        self.due = None

    def close(self) -> None:
        assert self.due is None

    def expire(self) -> None:
        assert self.due is not None
        self.due()


def test_it_is_tidied_once_after_something_has_happened_and_not_again_until_then() -> None:
    loop, done = Loop(), []
    tidying = Tidying(loop, lambda: done.append(1))
    assert loop.due is None, "nothing has happened yet"
    for _ in range(2):
        tidying.turned()
        tidying.turned()
        loop.expire()
        assert loop.due is None
        tidying.turned()  # the turn that it was done in
        assert loop.due is None
    assert len(done) == 2


def test_nothing_is_left_to_do_after_the_end() -> None:
    loop = Loop()
    tidying = Tidying(loop, lambda: None)
    tidying.turned()
    tidying.stop()
    tidying.stop()
    assert loop.due is None
