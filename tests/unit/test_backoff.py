from hypothesis import given
from hypothesis import strategies as st

from corepilot.system.backoff import Backoff, chance


def test_pauses_double_up_to_the_most() -> None:
    backoff = Backoff(0.5, 15, random=lambda: 0.0)
    assert [backoff.next_s() for _ in range(8)] == [0.5, 1, 2, 4, 8, 15, 15, 15]
    backoff.reset()
    assert backoff.next_s() == 0.5


@given(st.floats(0.01, 5), st.floats(5, 100), st.lists(st.floats(0, 1, exclude_max=True), min_size=1, max_size=40))
def test_pauses_are_bounded_and_never_nothing(first_s: float, most_s: float, chances: list[float]) -> None:
    draws = iter(chances)
    backoff = Backoff(first_s, most_s, random=lambda: next(draws))
    whole = first_s
    for _ in chances:
        assert whole / 2 <= backoff.next_s() <= whole <= most_s
        whole = min(2 * whole, most_s)


def test_chance_is_a_fraction() -> None:
    draws = [chance() for _ in range(200)]
    assert all(0 <= draw < 1 for draw in draws)
    assert len(set(draws)) > 100
