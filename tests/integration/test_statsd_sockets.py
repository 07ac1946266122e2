"""The StatsD sink on real sockets: missing, full, and there again."""

import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import gevent
import pytest
from corepilot_statsd.plugin import Options
from corepilot_statsd.sink import StatsdSink
from eventually import eventually
from sinking import context_with

from corepilot.model.configuration import Metric
from corepilot.telemetry.metrics import Metrics


@pytest.fixture
def metrics() -> Metrics:
    return Metrics([Metric("hits", "h", "counter")])


@pytest.fixture
def server(tmp_path: Path) -> Iterator[socket.socket]:
    with bound(tmp_path) as made:
        yield made


def bound(directory: Path) -> socket.socket:
    made = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    made.bind(str(directory / "statsd"))
    made.settimeout(0)
    return made


def sink_to(directory: Path, metrics: Metrics, *, reloaded: bool = False) -> StatsdSink:
    return StatsdSink(Options(address=f"unix://{directory}/statsd"), context_with(metrics, reloaded=reloaded))


def test_nothing_is_lost_while_there_is_no_socket(tmp_path: Path, metrics: Metrics) -> None:
    sink = sink_to(tmp_path, metrics)
    metrics.record({"hits": 1})
    with pytest.raises(OSError, match="No such file"):
        sink.flush()
    metrics.record({"hits": 2})
    with bound(tmp_path) as server:
        sink.flush()
        assert server.recv(2000) == b"hits:3|c"
    (tmp_path / "statsd").unlink()
    metrics.record({"hits": 4})
    with bound(tmp_path) as server:  # another one under the same name
        with pytest.raises(OSError, match="refused"):
            sink.flush()
        sink.flush()
        assert server.recv(2000) == b"hits:4|c"
    sink.close()


def test_a_full_socket_is_an_error_and_the_hub_turns_meanwhile(
    tmp_path: Path, metrics: Metrics, server: socket.socket
) -> None:
    sink = sink_to(tmp_path, metrics)
    turns = 0

    def count() -> None:
        nonlocal turns
        while True:
            gevent.sleep(0.01)
            turns += 1

    counting = gevent.spawn(count)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other:
        other.settimeout(0)
        with suppress(BlockingIOError):
            while True:
                other.sendto(b"x" * 1000, str(tmp_path / "statsd"))
    metrics.record({"hits": 1})
    with pytest.raises(TimeoutError):
        sink.flush()
    counting.kill()
    assert turns
    with suppress(BlockingIOError):
        while True:
            assert server.recv(2000) == b"x" * 1000
    sink.flush()
    assert server.recv(2000) == b"hits:1|c"
    sink.close()


def test_a_reload_does_not_tell_again_what_was_told(tmp_path: Path, metrics: Metrics, server: socket.socket) -> None:
    metrics.record({"hits": 5})
    sink = sink_to(tmp_path, metrics, reloaded=True)
    sink.start()
    metrics.record({"hits": 1})
    sink.flush()
    assert server.recv(2000) == b"hits:1|c"
    sink.close()


def test_a_reset_is_a_new_beginning(tmp_path: Path, metrics: Metrics, server: socket.socket) -> None:
    sink = sink_to(tmp_path, metrics)
    metrics.record({"hits": 2})
    sink.flush()
    metrics.reset()
    metrics.record({"hits": 3})
    sink.flush()
    assert [server.recv(2000), server.recv(2000)] == [b"hits:2|c", b"hits:3|c"]
    sink.close()


def test_udp_tells_of_a_server_that_is_not_there(metrics: Metrics) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    sink = StatsdSink(Options(address=f"127.0.0.1:{port}"), context_with(metrics))

    def refused() -> bool:  # with the datagram after the one that was refused
        metrics.record({"hits": 1})
        try:
            sink.flush()
        except ConnectionRefusedError:
            return True
        return False

    eventually(refused)
    sink.close()


def test_a_name_is_looked_up_and_every_address_of_it_has_its_turn(metrics: Metrics) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        server.settimeout(0)
        sink = StatsdSink(Options(address=f"localhost:{server.getsockname()[1]}"), context_with(metrics))

        def received() -> bool:
            metrics.record({"hits": 1})
            with suppress(ConnectionRefusedError):
                sink.flush()
            with suppress(BlockingIOError):
                return server.recv(2000).startswith(b"hits:")
            return False

        eventually(received)
        sink.close()
