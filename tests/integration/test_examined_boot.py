"""What corepilot waits for before its first job (ContainerPilot contract, sections 1.4 and 9.1)."""

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest
from running import Corepilot

from corepilot.testing.running import COMMAND

WAITS = "does not exist yet"


def config(directory: Path) -> str:
    return f"""{{consul: false, control: {{socket: "{directory}/late/control.socket"}},
        jobs: [{{name: "app", exec: "sleep 1000"}}]}}"""


def test_the_directory_of_the_control_socket_may_be_mounted_late(tmp_path: Path) -> None:
    with Corepilot(config(tmp_path), tmp_path) as corepilot:
        corepilot.until(WAITS)
        corepilot.socket = tmp_path / "late" / "control.socket"
        corepilot.socket.parent.mkdir()
        corepilot.until_ready()
        assert corepilot.job("app")["state"] == "running"
        assert corepilot.stop() == 0


def test_a_stop_ends_the_wait(tmp_path: Path) -> None:
    with Corepilot(config(tmp_path), tmp_path) as corepilot:
        corepilot.until(WAITS)
        assert corepilot.stop(5) == 0


@pytest.mark.parametrize("locale", [{}, {"LC_CTYPE": "POSIX"}, {"LC_CTYPE": "C.UTF-8"}, {"LANG": "C"}, {"LC_ALL": "C"}])
def test_jobs_get_the_locale_that_was_given(tmp_path: Path, locale: Mapping[str, str]) -> None:
    file = tmp_path / "corepilot.json5"
    file.write_text(f'{{consul: false, control: {{socket: "{tmp_path}/s"}}, jobs: [{{name: "a", exec: "env"}}]}}')
    environment = {"PATH": os.environ["PATH"], **locale}
    for words in (["run", "-c", str(file)], ["--", "env"]):
        answer = subprocess.run(
            [*COMMAND, *words], capture_output=True, text=True, timeout=30, env=environment, check=True
        )
        found = [line.rpartition(" ")[2] for line in answer.stdout.splitlines()]
        assert {word for word in found if word.startswith(("LC_", "LANG"))} == {
            f"{name}={value}" for name, value in locale.items()
        }


def test_the_log_says_why_a_reload_was_refused(tmp_path: Path) -> None:
    with Corepilot(
        '{consul: false, control: {socket: "%(dir)s/control.socket"}, jobs: [{name: "app"}]}', tmp_path
    ) as one:
        one.until_ready().configure('{consul: false,\njobs: [{nam: "app"}]}')
        assert one.client("reload").returncode == 1
        one.until("reload refused: the old configuration stays")
        one.until(":2:9: cannot use jobs[0].nam: there is no such key here")
        assert one.client("ping").returncode == 0
