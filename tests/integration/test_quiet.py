"""A corepilot in which nothing happens: nothing wakes it up, and yet it sees that its socket is gone."""

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from controlling import Supervisor
from eventually import eventually
from http_script import eventually_switching
from running import Corepilot

from corepilot.http.client import Client
from corepilot.model.configuration import Control, Logging
from corepilot.output.log import Log
from corepilot.supervisor.endpoint import ControlEndpoint
from corepilot.system.path_watch import PathWatch
from corepilot.telemetry.builtin import CONTROL_REQUESTS
from corepilot.telemetry.metrics import Metrics

QUIET_S = 3.0
"""What wakes it up once a second, or once in two, does so within this time."""


def switches(pid: int) -> int:
    """How often the threads of a process have gone to sleep."""
    found = 0
    for status in Path(f"/proc/{pid}/task").glob("*/status"):
        lines = [line.split(":") for line in status.read_text().splitlines()]
        found += sum([int(count) for name, count in lines if name == "voluntary_ctxt_switches"])
    return found


def test_a_hundred_quiet_jobs_wake_nobody_up(tmp_path: Path) -> None:
    jobs = ",".join([f'{{name: "job{index}", exec: "sleep 1000"}}' for index in range(100)])
    with Corepilot(
        f'{{control: {{socket: "%(dir)s/control.socket"}}, consul: false, jobs: [{jobs}]}}', tmp_path
    ) as one:
        one.until_ready()
        pids = one.process.pid, one.supervisor

        def quiet() -> bool:
            before = [switches(pid) for pid in pids]
            time.sleep(QUIET_S)  # what is counted is what happens in this time, however late that is after the start
            return [switches(pid) for pid in pids] == before

        eventually(quiet, 60, "nothing wakes guard or supervisor up")


class Watches(list[PathWatch]):
    """Makes watches as the endpoint does, or none, and keeps them."""

    possible = True

    def __call__(self, loop: object, path: str, changed: Callable[[], object]) -> PathWatch:
        if not self.possible:
            raise OSError(24, "Too many open files")
        self.append(PathWatch(loop, path, changed))
        return self[-1]

    def more_than(self, count: int) -> bool:
        return len(self) > count


@pytest.mark.parametrize("kernel_tells", [True, False])
def test_a_socket_whose_file_is_removed_is_there_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, kernel_tells: bool
) -> None:
    watches, refills = Watches(), [False]
    watches.possible = kernel_tells
    monkeypatch.setattr("corepilot.system.path_watch.PathWatch", watches)
    log, path = Log(Logging(level="error")), tmp_path / "x.socket"
    endpoint = ControlEndpoint(Control(str(path)), {}, log, lambda: False)
    try:
        endpoint.serve(Supervisor(), CONTROL_REQUESTS.family(Metrics()), lambda: refills.pop(0) if refills else True)
        for times in range(2):
            if kernel_tells:
                eventually_switching(partial(watches.more_than, times + 1))
            path.unlink()
            eventually_switching(path.exists)
        eventually_switching(lambda: Client(f"unix://{path}").request("GET", "/v1/ping", deadline_s=30).status == 200)
        assert not refills, "what could not be refilled was tried again"
    finally:
        endpoint.stop()
        log.close()
    assert not path.exists()
    eventually_switching(lambda: all(watch._notifications._descriptor < 0 for watch in watches))
