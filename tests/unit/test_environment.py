"""The environment of commands, in the names of the contract (section 4.12)."""

import pytest

from corepilot.jobs.environment import ChildEnvironment, command_name


@pytest.mark.parametrize(
    ("command", "name"),
    [("app", "APP"), ("my-app", "MY_APP"), ("check.app", "CHECK"), ("/usr/bin/run.sh", "RUN"), ("a..b c", "A_")],
)
def test_the_name_of_a_command(command: str, name: str) -> None:
    assert command_name(command) == name


def test_what_is_set_later_wins_and_what_is_given_stays() -> None:
    environment = ChildEnvironment({"PATH": "/bin", "ODD": "a=b=c"}, 42)
    assert environment.current() == {"PATH": "/bin", "ODD": "a=b=c", "CONTAINERPILOT_PID": "42"}
    environment.put({"PATH": "/new", "EMPTY": ""})
    environment.advertise({"my-app": "192.0.2.1"})
    environment.running("my-app", 7)
    assert environment.current() == {
        "PATH": "/new",
        "ODD": "a=b=c",
        "EMPTY": "",
        "CONTAINERPILOT_PID": "42",
        "CONTAINERPILOT_MY_APP_IP": "192.0.2.1",
        "CONTAINERPILOT_MY_APP_PID": "7",
    }


def test_a_command_that_ended_and_a_configuration_that_was_left_are_forgotten() -> None:
    environment = ChildEnvironment({}, 42)
    environment.advertise({"a": "192.0.2.1"})
    environment.running("a", 7)
    environment.running("a", None)
    environment.running("a", None)
    environment.advertise({})
    assert environment.current() == {"CONTAINERPILOT_PID": "42"}
