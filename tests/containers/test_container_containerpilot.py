"""An image's old entry point and old scripts: the command containerpilot, with a Consul agent that is not there."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from containers.container import CONFIGURATION, Container

OTHER = "/etc/containerpilot.json5"
APP = """{
  consul: "localhost:8500",
  jobs: [{name: "app", exec: ["sh", "-c", "echo {{ .GREETING }}; exec sleep 1000"], port: 80,
          interfaces: "static:192.0.2.1", health: {exec: "true", interval: 1, ttl: 5}}],
}"""


@pytest.mark.parametrize(
    ("args", "env"),
    [
        (["containerpilot", "-config", OTHER], {}),
        (["containerpilot"], {"CONTAINERPILOT": OTHER}),
        (["containerpilot", "-config", OTHER], {"CONTAINERPILOT": CONFIGURATION}),
    ],
    ids=["flag", "variable", "flag before variable"],
)
def test_entry_point_and_clients(tmp_path: Path, args: Sequence[str], env: Mapping[str, str]) -> None:
    container = Container("{the wrong file}", tmp_path, args=args, env={"GREETING": "hello", **env})
    file = container.root / OTHER.lstrip("/")
    file.write_text(APP)
    with container:
        container.until("hello")
        ping = container.execute(*args, "-ping")
        assert (ping.returncode, ping.stdout) == (0, "ok\n"), ping.stderr
        file.write_text(APP.replace("{{ .GREETING }}", "again"))
        assert container.execute(*args, "-reload").returncode == 0
        container.until(" again")
        assert container.stop() == 0


def test_the_status_is_true_and_can_be_0_as_it_was(tmp_path: Path) -> None:
    jobs = 'jobs: [{name: "app", exec: ["sh", "-c", "exit 7"]}]'
    statuses = []
    for number, more in enumerate(("", 'exitStatus: "zero",')):
        text = f'{{consul: "localhost:8500", {more} {jobs}}}'
        with Container(text, tmp_path / str(number), args=["containerpilot", "-config", CONFIGURATION]) as container:
            statuses.append(container.wait())
    assert statuses == [7, 0]


def test_without_a_configuration_it_says_so_and_ends_with_1(tmp_path: Path) -> None:
    with Container("", tmp_path, args=["containerpilot"]) as container:
        assert container.wait() == 1
        assert "-config flag is required" in container.output
