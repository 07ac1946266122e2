"""With which status corepilot ends, and what its last line says."""

import pytest

from corepilot.supervisor.outcome import Account, Reasons, last_line, status_of


@pytest.mark.parametrize(
    ("reasons", "status"),
    [
        (Reasons(), 0),
        (Reasons(failure=("app", 3)), 3),
        (Reasons(failure=("app", 3), mode="zero"), 0),
        (Reasons(failure=("app", 3), asked="SIGTERM"), 0),
        (Reasons(asked="job app has ended with status 4", ended_by=4), 4),
        (Reasons(asked="job app has ended with status 4", ended_by=4, failure=("app", 4)), 4),
        (Reasons(asked="SIGQUIT", quit=True, mode="zero"), 2),
        (Reasons(asked="no address", refused=1, mode="zero"), 1),
        (Reasons(asked="the guard has died", guard_lost=True, quit=True, refused=1), 70),
    ],
)
def test_the_exit_status_follows_from_the_reasons(reasons: Reasons, status: int) -> None:
    assert status_of(reasons) == status


def test_the_last_line_says_why_and_what_was_killed() -> None:
    assert last_line(Reasons(), Account(2.0)) == (
        "corepilot ends after 2.0 s: every job has ended; no process had to be killed"
    )
    failed = last_line(Reasons(failure=("app", 3)), Account(2.0, killed=("app", "check.app")))
    assert failed == "corepilot ends after 2.0 s: job app failed for good with status 3; killed: app, check.app"


def test_the_last_line_says_where_the_time_of_a_long_stop_went() -> None:
    parts = (("db", 0.2), ("web", 4.9), ("leaving the catalog", 0.01), ("a", 0.3), ("b", 0.5))
    line = last_line(Reasons(asked="SIGTERM"), Account(60.0, 5.2, parts))
    assert "SIGTERM; the stop took 5.2 s: web 4.9 s, b 0.5 s, a 0.3 s; no process" in line
    assert "took" not in last_line(Reasons(asked="SIGTERM"), Account(60.0, 0.9, parts))
