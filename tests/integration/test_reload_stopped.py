"""A stop that comes while a reload is under way: nothing begins any more, and nothing that was prepared is left."""

import os
import signal
import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from eventually import eventually
from recording import Record, shell
from running import Corepilot

ORPHAN = """
trap 'echo termed 0 >> record' TERM
echo orphan 0 >> record
while [ ! -e go ]; do sleep 0.02; done
"""
"""Notes TERM and goes on until it may end."""

LEAVING = shell("unset COREPILOT_RUN; setsid -f sh %(dir)s/orphan; exec sleep 1000")
SLOW = shell(
    "trap 'note termed; while [ ! -e %(dir)s/go ]; do sleep 0.02; done; exit 0' TERM; "
    "note up; while :; do sleep 0.02; done"
)


def configuration(job: str, place: str = "", port: int = 0) -> str:
    more = (
        f"""logging: {{output: "%(dir)s/{place}.log"}}, discovery: {{backend: "embedded", path: "%(dir)s/{place}"}},
        telemetry: {{port: {port}, interfaces: ["static:127.0.0.1"]}},"""
        if place
        else "consul: false,"
    )
    return f"""{{control: {{socket: "%(dir)s/{place or "control"}.socket"}}, stopTimeout: 60, {more}
        jobs: [{{name: "app", exec: {job}}}]}}"""


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


def opened(fifo: Path) -> int:
    """The end to write to of a FIFO that somebody reads, or 0."""
    try:
        return os.open(fifo, os.O_WRONLY | os.O_NONBLOCK)
    except OSError:
        return 0


@pytest.mark.parametrize(("job", "up"), [(SLOW, "up"), (LEAVING, "orphan")], ids=["the jobs end", "their orphans end"])
def test_a_stop_overtakes_a_reload_of_everything(tmp_path: Path, job: str, up: str) -> None:
    (tmp_path / "orphan").write_text(ORPHAN)
    old, new = tmp_path / "control.socket", tmp_path / "new.socket"
    with Corepilot(configuration(job), tmp_path) as corepilot:
        record = Record(corepilot)
        record.until(up)
        corepilot.until_ready()
        port = free_port()
        corepilot.configure(configuration(job, "new", port))
        corepilot.reload_everything()
        record.until("termed")
        assert new.exists()
        with socket.create_connection(("127.0.0.1", port)):
            corepilot.signal(signal.SIGTERM)
            corepilot.until("stopping: SIGTERM")
        (tmp_path / "go").touch()
        assert corepilot.wait() == 0
        assert not old.exists()
        assert not new.exists()
        assert record.count(up) == 1, record.words
        assert "cannot reload: corepilot is stopping (SIGTERM)" in corepilot.output
        assert (tmp_path / "new.log").read_text() == ""


def test_a_stop_does_not_wait_for_a_reload_that_stands_still_and_its_client_hears_why(tmp_path: Path) -> None:
    with Corepilot(configuration(SLOW), tmp_path) as corepilot, ThreadPoolExecutor(1) as clients:
        corepilot.until_ready()
        (tmp_path / "go").touch()
        corepilot.file.unlink()
        os.mkfifo(corepilot.file)
        reload = clients.submit(corepilot.client, "reload")
        writer = eventually(lambda: opened(corepilot.file))  # the loader waits now for what is written
        try:
            assert corepilot.stop() == 0
        finally:
            os.close(writer)
        assert "cannot reload: corepilot is stopping (SIGTERM)" in reload.result().stderr


def test_what_is_killed_is_counted_and_told_once(tmp_path: Path) -> None:
    (tmp_path / "orphan").write_text(ORPHAN)
    with Corepilot(configuration(LEAVING), tmp_path) as corepilot:
        record = Record(corepilot)
        record.until("orphan")
        corepilot.until_ready()
        corepilot.reload_everything()
        record.until("termed")
        corepilot.signal(signal.SIGTERM)
        corepilot.until("stopping: SIGTERM")
        assert corepilot.stop() == 0  # the second time: now
        killed = [line.split("killed pid ")[1] for line in corepilot.output.splitlines() if "killed pid " in line]
        assert len(killed) == len(set(killed)) > 0
        assert f"killed: {len(killed)} process" in corepilot.output
        assert record.count("termed") == 1
