"""When a catalog that answers counts as one that refuses everything."""

import pytest

from corepilot.discovery.answers import Answers


@pytest.mark.parametrize(
    ("answers", "refused"),
    [
        ([], False),  # nothing is known
        ([("watch", "unavailable")], False),  # that is no answer
        ([("watch", "refused")], True),
        ([("watch", "refused"), ("register", "ok")], False),
        ([("watch", "refused"), ("register", "ok"), ("report", "refused")], True),  # the password was changed meanwhile
        ([("register", "refused"), ("report", "unknown")], False),  # it knows us, and not the instance
    ],
)
def test_it_does_when_the_last_answer_to_every_kind_of_call_was_no(
    answers: list[tuple[str, str]], *, refused: bool
) -> None:
    taken = Answers()
    for operation, result in answers:
        taken.take(operation, result)
    assert taken.refused is refused
