"""The four catalogs for the benchmarks: a real server of each, and what changes and watches it without corepilot.

Every store has two programs of a few lines, with the plainest client that it has, for processes of their own: one that
changes an instance of the service `bench`, and one that watches it. The embedded catalog has no other writer than
corepilot. The servers are those of the tests.
"""

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Any, NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))
sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tools"))
from servers.consul import ConsulServer
from servers.etcd import EtcdServer
from servers.zookeeper import ZooKeeperServer

SERVICE = "bench"
NAMES = ("embedded", "etcd", "zookeeper", "consul")

_CONNECT = {
    "embedded": """
from corepilot.discovery.embedded import plugin
from corepilot.discovery.embedded.backend import EmbeddedBackend
from corepilot.model.service import Registration
from corepilot.testing.suite import context
backend = EmbeddedBackend(plugin.Options(sys.argv[1]), context())
""",
    "etcd": """
import base64, http.client, json
connection = http.client.HTTPConnection(sys.argv[1])
text = lambda data: base64.b64encode(data.encode()).decode()
def post(path, body):
    connection.request("POST", path, json.dumps(body))
    return connection.getresponse()
""",
    "zookeeper": """
import json
from kazoo.client import KazooClient
client = KazooClient(hosts=sys.argv[1])
client.start()
place = "/corepilot/services/bench"
client.ensure_path(place)
""",
    "consul": """
import http.client, json
connection = http.client.HTTPConnection(sys.argv[1])
""",
}

_WRITE = {
    "embedded": """
def put(name, port):
    backend.register(Registration(name, "bench", "192.0.2.1", port, (), 86400), "passing", "")
""",
    "etcd": """
def put(name, port):
    value = {"id": name, "service": "bench", "address": "192.0.2.1", "port": port, "status": "passing"}
    post("/v3/kv/put", {"key": text("/corepilot/services/bench/" + name), "value": text(json.dumps(value))}).read()
""",
    "zookeeper": """
def put(name, port):
    data = json.dumps({"host": "192.0.2.1", "port": port, "name": name}).encode()
    if name in known:
        client.set(f"{place}/{name}", data)
    else:
        client.create(f"{place}/{name}", data, ephemeral=True)
        known.add(name)
known = set()
""",
    "consul": """
def put(name, port):
    body = {"ID": name, "Name": "bench", "Address": "192.0.2.1", "Port": port,
            "Check": {"TTL": "86400s", "Status": "passing"}}
    path = "/v1/agent/service/register"
    if name != "bench-0":
        # On other nodes, so straight into the catalog: an agent compares all that it has with it at each registration.
        path = "/v1/catalog/register"
        node = f"other-{port // 100}"  # a registration takes longer with each that its node has
        body = {"Node": node, "Address": "192.0.2.2",
                "Service": {"ID": name, "Service": "bench", "Address": "192.0.2.1", "Port": port},
                "Check": {"Node": node, "CheckID": name, "Name": name, "ServiceID": name, "Status": "passing"}}
    connection.request("PUT", path, json.dumps(body))
    connection.getresponse().read()
""",
}

_WATCH = {
    # inotify(7) by itself: a record is written, or has got its name.
    "embedded": """
import ctypes, os
libc = ctypes.CDLL(None)
descriptor = libc.inotify_init1(0)
assert libc.inotify_add_watch(descriptor, os.path.join(sys.argv[1], "bench").encode(), 0x8A) >= 0
def changes():
    yield
    while True:
        os.read(descriptor, 65536)
        yield
""",
    "etcd": """
def changes():
    key, end = text("/corepilot/services/bench/"), text("/corepilot/services/bench0")
    stream = post("/v3/watch", {"create_request": {"key": key, "range_end": end}})
    while True:
        json.loads(stream.readline())
        yield
""",
    "zookeeper": """
import queue
def changes():
    seen = queue.SimpleQueue()
    client.DataWatch(place + "/bench-0", lambda data, stat: seen.put(json.loads(data)))
    while True:
        seen.get()
        yield
""",
    "consul": """
def changes():
    index = "0"
    while True:
        connection.request("GET", f"/v1/health/service/bench?index={index}&wait=55s")
        answer = connection.getresponse()
        json.loads(answer.read())
        index = answer.headers["X-Consul-Index"]
        yield
""",
}

_HOLD = """
import resource
hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
count = int(sys.argv[2])
for number in range(count):
    put(f"bench-{number}", 1 + number)
print("held", flush=True)
port = 40000
for line in sys.stdin:
    times, gap_s = line.split()
    begin = time.monotonic()
    for number in range(1, int(times) + 1):
        time.sleep(max(0.0, begin + number * float(gap_s) - time.monotonic()))
        port = 40000 + (port + 1) % 20000
        print(time.time_ns(), flush=True)
        put("bench-0", port)
"""

_WATCHER = """
for _ in changes():
    print(time.time_ns(), flush=True)
"""


class Store(NamedTuple):
    """One catalog that runs.

    Attributes:
        name: The backend's.
        options: The options of corepilot's backend for it.
        where: What the programs of this module take as argv[1].
        server: What can hurt it; None for the embedded one.
    """

    name: str
    options: dict[str, Any]
    where: str
    server: Any

    def hold(self, count: int) -> "Holder":
        """Start a process that holds so many instances, and changes one when told to. Returns when it holds them."""
        return Holder(_start(_CONNECT[self.name] + _WRITE[self.name] + _HOLD, subprocess.PIPE, self.where, count))

    def watch(self, output: IO[bytes]) -> "subprocess.Popen[str]":
        """Start a process that watches the instance without corepilot, and writes the time of its first look and of
        each change: nanoseconds since the epoch."""
        connect = "" if self.name == "embedded" else _CONNECT[self.name]
        return _start(connect + _WATCH[self.name] + _WATCHER, output, self.where)


class Holder:
    """A process that holds instances in a store, which go when it ends, or later."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process
        self._line()

    def change(self, times: int, gap_s: float) -> list[int]:
        """Change the port of one instance so often; when each change was begun: nanoseconds since the epoch."""
        self.begin(times, gap_s)
        return self.begun(times)

    def begin(self, times: int, gap_s: float) -> None:
        """As `change`, without waiting for it."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{times} {gap_s}\n")
        self._process.stdin.flush()

    def begun(self, times: int) -> list[int]:
        """What is left of `begin`: wait, and return what `change` returns."""
        return [int(self._line()) for _ in range(times)]

    def close(self) -> None:
        """End it."""
        self._process.communicate(timeout=60)

    def kill(self) -> None:
        """End it with SIGKILL."""
        self._process.kill()
        self._process.communicate()

    def _line(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("the process that writes has ended")
        return line


def _start(code: str, output: "int | IO[bytes]", *arguments: object) -> "subprocess.Popen[str]":
    words = [sys.executable, "-c", f"import sys, time\n{code}", *map(str, arguments)]
    return subprocess.Popen(words, stdin=subprocess.PIPE, stdout=output, text=True)


def chosen(name: str) -> Sequence[str]:
    """What `--backend NAME` means."""
    return NAMES if name == "all" else (name,)


@contextmanager
def store(name: str, members: int = 1) -> Iterator[Store]:
    """One catalog, empty, for the time of a block.

    Args:
        name: The backend's.
        members: How many servers a cluster of etcd has.
    """
    with ExitStack() as stack:
        if name == "embedded":
            path = tempfile.mkdtemp(prefix="catalog", dir="/dev/shm")
            stack.callback(shutil.rmtree, path, ignore_errors=True)
            yield Store(name, {"path": f"{path}/catalog"}, f"{path}/catalog", None)
        elif name == "etcd":
            etcd = stack.enter_context(EtcdServer(members))
            yield Store(name, {"endpoints": list(etcd.endpoints)}, etcd.endpoints[0].partition("//")[2], etcd)
        elif name == "zookeeper":
            zookeeper = stack.enter_context(ZooKeeperServer())
            yield Store(name, {"hosts": zookeeper.hosts}, zookeeper.hosts, zookeeper)
        else:
            consul = stack.enter_context(ConsulServer())
            yield Store(name, {"address": consul.address}, consul.address, consul)
