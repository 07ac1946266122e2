"""The status of a container is what docs/reference/exit-status.md says."""

import re
import signal
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
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


NOT_FATAL = {"STOP", "TSTP", "TTIN", "TTOU", "CHLD", "CONT", "URG", "WINCH"}
SCRIPTS = {
    **{f"exit {number}": number for number in range(256)},
    **{f"kill -{one} $$": 128 + one for one in signal.Signals if one < 32 and one.name[3:] not in NOT_FATAL},
}
"""What /bin/sh is told -> the status."""


def status_of_pid_1(*words: str) -> int:
    """The status that corepilot has as PID 1 of a PID namespace: what an engine takes from waitpid(2), as unshare does.

    There is no other difference to a container that could change it, and it costs a third.
    """
    corepilot = str(Path(sys.prefix) / "bin" / "corepilot")
    command = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc", corepilot, *words]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=120)
    return done.returncode


def test_every_status_of_a_wrapped_command_is_the_containers() -> None:
    with ThreadPoolExecutor(4) as pool:
        found = pool.map(lambda script: status_of_pid_1("--", "sh", "-c", script), SCRIPTS)
    assert dict(zip(SCRIPTS, found, strict=True)) == SCRIPTS


def test_statuses_of_a_job_are_the_containers(tmp_path: Path) -> None:
    """Those that mean something to corepilot, a shell or an engine, and some of the others.

    All 256 of a job are told in test_container_engine.py, and the guard hands on any, as it does a wrapped command's.
    """
    numbers = {0, 1, 2, 69, 70, 71, 75, 125, 126, 127, 128, 129, 130, 137, 143, 254, 255, *range(17, 256, 48)}
    wanted = {f"exit {number}": number for number in sorted(numbers)}
    wanted |= {f"kill -{number} $$": 128 + number for number in (1, 2, 3, 6, 9, 11, 15)}

    def run(numbered: tuple[int, str]) -> int:
        number, script = numbered
        file = tmp_path / f"{number}.json5"
        socket = tmp_path / f"{number}.socket"
        file.write_text(f'{{control: {{socket: "{socket}"}}, jobs: [{{name: "a", exec: ["sh", "-c", "{script}"]}}]}}')
        return status_of_pid_1("run", "-c", str(file))

    with ThreadPoolExecutor(4) as pool:
        found = pool.map(run, enumerate(wanted))
    assert dict(zip(wanted, found, strict=True)) == wanted
