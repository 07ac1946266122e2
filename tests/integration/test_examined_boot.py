"""What corepilot waits for before its first job (ContainerPilot contract, sections 1.4 and 9.1)."""

from pathlib import Path

from running import Corepilot

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


def test_the_wait_ends(tmp_path: Path) -> None:
    with Corepilot(config(tmp_path), tmp_path) as corepilot:
        assert corepilot.wait(30) == 1
        assert "cannot create the control socket" in corepilot.output
