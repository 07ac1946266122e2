from corepilot.output.repeat import Repeat


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def make() -> tuple[Repeat, list[tuple[str, str]], Clock]:
    lines: list[tuple[str, str]] = []
    clock = Clock()
    return Repeat(lambda level, message: lines.append((level, message)), clock=clock), lines, clock


def test_the_first_failure_is_said_at_once_and_the_rest_twice_a_minute_with_a_count() -> None:
    repeat, lines, clock = make()
    for _ in range(600):
        repeat.failed("catalog", "cannot reach it")
        clock.now += 0.5
    assert lines[0] == ("warning", "cannot reach it")
    assert len(lines) == 10  # in five minutes
    assert lines[1] == ("warning", "cannot reach it (59 more like this)")


def test_recovery_is_said_once_and_only_after_a_failure() -> None:
    repeat, lines, _ = make()
    repeat.recovered("catalog", "it answers")
    repeat.failed("catalog", "no answer")
    repeat.failed("catalog", "no answer")
    repeat.recovered("catalog", "it answers")
    repeat.recovered("catalog", "it answers")
    assert lines == [("warning", "no answer"), ("info", "it answers (had failed 2 times)")]


def test_after_a_recovery_the_next_failure_is_said_at_once() -> None:
    repeat, lines, _ = make()
    repeat.failed("a", "broken", "error")
    repeat.recovered("a", "fine", "debug")
    repeat.failed("a", "broken again")
    assert lines == [("error", "broken"), ("debug", "fine (had failed once)"), ("warning", "broken again")]


def test_causes_do_not_hide_each_other() -> None:
    repeat, lines, _ = make()
    repeat.failed("a", "a is broken")
    repeat.failed("b", "b is broken")
    assert [message for _, message in lines] == ["a is broken", "b is broken"]


def test_once_is_once_until_it_is_over() -> None:
    repeat, lines, clock = make()
    for _ in range(3):
        repeat.once("a", "ignoring a")
        clock.now += 3600
    repeat.forget("a")
    repeat.once("a", "ignoring a")
    assert [message for _, message in lines] == ["ignoring a", "ignoring a"]


def test_the_number_of_causes_is_bounded() -> None:
    repeat, _, _ = make()
    for number in range(10_000):
        repeat.failed(str(number), "broken")
    assert len(repeat._troubles) == 256
