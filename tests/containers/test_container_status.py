"""The status of a container is what docs/reference/exit-status.md says."""

import re
from collections.abc import Sequence
from pathlib import Path

import pytest
from containers.container import CHECKOUT, Container

PAGE = CHECKOUT / "docs" / "reference" / "exit-status.md"
BESIDE = '{name: "beside", exec: "sleep 1000", restarts: "unlimited"}'


@pytest.mark.parametrize(
    ("jobs", "status"),
    [
        ('{name: "app", exec: "true"}', 0),
        ('{name: "app", exec: ["sh", "-c", "exit 7"]}', 7),
        ('{name: "app", exec: ["sh", "-c", "kill -9 $$"]}', 137),
        (f'{{name: "app", exec: "true", exitOn: "end"}}, {BESIDE}', 0),
        (f'{{name: "app", exec: ["sh", "-c", "kill -9 $$"], exitOn: "failure"}}, {BESIDE}', 137),
    ],
)
def test_the_containers_status_is_the_jobs(tmp_path: Path, jobs: str, status: int) -> None:
    with Container(f"{{jobs: [{jobs}]}}", tmp_path) as container:
        assert container.wait() == status


def test_the_examples_of_the_page_end_as_it_says(tmp_path: Path) -> None:
    examples = re.findall(r"^```json5\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    statuses = []
    for number, example in enumerate(examples):
        with Container(example, tmp_path / str(number)) as container:
            statuses.append(container.wait())
    assert statuses == [3, 0]


def test_a_refused_configuration_is_status_1_and_starts_nothing(tmp_path: Path) -> None:
    with Container('{jobs: [{name: "app", exec: "echo started", port: 99999}]}', tmp_path) as container:
        assert container.wait() == 1
        assert "/etc/corepilot.json5:1:" in container.output
        assert " app " not in container.output, "a line of the job"


@pytest.mark.parametrize(
    ("command", "status"),
    [
        (["true"], 0),
        (["sh", "-c", "exit 7"], 7),
        (["sh", "-c", "kill -9 $$"], 137),
        (["/etc/passwd"], 126),
        (["/no/such/program"], 127),
    ],
)
def test_a_wrapped_command_gives_the_container_its_status(tmp_path: Path, command: Sequence[str], status: int) -> None:
    with Container("", tmp_path, args=["corepilot", "--", *command]) as container:
        assert container.wait() == status
