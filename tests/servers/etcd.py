"""Real etcd servers for the tests, with ways to hurt them: one, or several that are one cluster."""

import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from eventually import eventually
from servers.consul import free_port

READY_DEADLINE_S = 30
STOP_DEADLINE_S = 10
START_TRIES = 5


class EtcdMember:
    """One process of etcd on 127.0.0.1, and its folder.

    Args:
        name: Unique in the cluster.
        folder: Where its data and its log are.
        arguments: More arguments of etcd (TLS, …).
        scheme: What clients speak.
    """

    def __init__(self, name: str, folder: Path, arguments: Sequence[str] = (), scheme: str = "http") -> None:
        self.name = name
        self.port, self.peer_port = free_port(), free_port()
        self.url = f"{scheme}://127.0.0.1:{self.port}"
        self.peer_url = f"http://127.0.0.1:{self.peer_port}"
        self._folder, self._arguments = folder, tuple(arguments)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Its process, 0 while it is stopped."""
        return self._process.pid if self._process else 0

    @property
    def runs(self) -> bool:
        """Whether its process is there."""
        return self._process is not None and self._process.poll() is None

    @property
    def log(self) -> str:
        """The end of what it said."""
        return (self._folder / "log").read_text(errors="replace")[-4000:]

    def spawn(self, cluster: str) -> None:
        """Start it, with the data that it has."""
        command = [
            *("setpriv", "--pdeathsig", "KILL"),  # it ends with the test run, even when that is killed
            *("etcd", "--name", self.name, "--data-dir", str(self._folder / "data"), "--logger", "zap"),
            *("--listen-client-urls", self.url, "--advertise-client-urls", self.url),
            *("--listen-peer-urls", self.peer_url, "--initial-advertise-peer-urls", self.peer_url),
            *("--initial-cluster", cluster, "--unsafe-no-fsync", *self._arguments),
        ]
        self._folder.mkdir(exist_ok=True)
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, cwd="/"
            )

    def kill(self) -> None:
        """End it at once, as a crash would: `kill -9`. Nothing to do when it is stopped."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait(STOP_DEADLINE_S)

    def pause(self) -> None:
        """SIGSTOP: connections stay open and are not answered. Returns when every thread stands still."""
        os.kill(self.pid, signal.SIGSTOP)
        tasks = Path(f"/proc/{self.pid}/task")

        def stopped() -> bool:
            stats = [(task / "stat").read_text() for task in tasks.iterdir()]
            return all(stat.rpartition(")")[2].split()[0] == "T" for stat in stats)

        eventually(stopped, message=f"{self.name} stands still")

    def resume(self) -> None:
        """SIGCONT: it goes on where it was stopped."""
        if self.runs:
            os.kill(self.pid, signal.SIGCONT)


class EtcdServer:
    """A cluster of etcd on 127.0.0.1. Use it as a context manager.

    Args:
        members: How many.
        arguments: More arguments of each (TLS, …).
        scheme: What clients speak.
        client: More arguments of etcdctl.
    """

    def __init__(
        self, members: int = 1, arguments: Sequence[str] = (), scheme: str = "http", client: Sequence[str] = ()
    ) -> None:
        self._number, self._arguments, self._scheme = members, tuple(arguments), scheme
        self._client = tuple(client)
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self.members: list[EtcdMember] = []

    @property
    def endpoints(self) -> tuple[str, ...]:
        """The members' URLs for clients."""
        return tuple(member.url for member in self.members)

    @property
    def pid(self) -> int:
        """The first member's process, 0 while it is stopped."""
        return self.members[0].pid if self.members else 0

    def __enter__(self) -> Self:
        try:
            for _ in range(START_TRIES):
                self._folder = tempfile.TemporaryDirectory(prefix="etcd-server-")
                self.members = [
                    EtcdMember(f"m{number}", Path(self._folder.name) / f"m{number}", self._arguments, self._scheme)
                    for number in range(self._number)
                ]
                if self._try_start():
                    return self
                log = self.members[0].log
                self.close()
        except BaseException:
            self.close()
            raise
        raise RuntimeError(f"cannot start etcd:\n{log}")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def start(self) -> None:
        """Start what is stopped, on the ports and with the data of before, and wait until the cluster answers.

        Raises:
            RuntimeError: it does not come up.
        """
        if not self._try_start():
            raise RuntimeError(f"cannot start etcd:\n{self.members[0].log}")

    def start_member(self, member: EtcdMember) -> None:
        """Start one member again."""
        member.spawn(self._cluster)

    def kill(self) -> None:
        """End all members at once."""
        for member in self.members:
            member.kill()

    def pause(self) -> None:
        """SIGSTOP to all."""
        for member in self.members:
            member.pause()

    def resume(self) -> None:
        """SIGCONT to all."""
        for member in self.members:
            member.resume()

    def wipe(self) -> None:
        """Start again without any data: another cluster at the same address."""
        assert self._folder is not None
        self.kill()
        for member in self.members:
            subprocess.run(["rm", "-rf", str(Path(self._folder.name) / member.name / "data")], check=True)
        self.start()

    def leader(self) -> EtcdMember:
        """The member that leads now; there is one."""

        def found() -> EtcdMember | None:
            for member in self.members:
                if member.runs:
                    lines = self.ctl("endpoint", "status", "--write-out=fields", endpoint=member.url).splitlines()
                    fields = dict(line.split(" : ") for line in lines if " : " in line)
                    if fields['"Leader"'] == fields['"MemberID"']:
                        return member
            return None

        leader = eventually(found, message="etcd has a leader")
        assert leader is not None
        return leader

    def ctl(self, *arguments: str, endpoint: str = "", deadline_s: float = 10) -> str:
        """What `etcdctl` says: a witness that shares no code with ours.

        Raises:
            subprocess.CalledProcessError: it failed.
        """
        endpoints = endpoint or ",".join(member.url for member in self.members if member.runs)
        command = ["etcdctl", f"--endpoints={endpoints}", *self._client, *arguments]
        environment = {**os.environ, "ETCDCTL_API": "3"}
        return subprocess.run(
            command, env=environment, check=True, capture_output=True, text=True, timeout=deadline_s
        ).stdout

    def reset(self) -> None:
        """Delete every key and lease, so that the next test finds an empty store."""
        self.ctl("del", "", "--prefix")
        for line in self.ctl("lease", "list").splitlines()[1:]:
            with suppress(subprocess.CalledProcessError):  # it has expired meanwhile
                self.ctl("lease", "revoke", line.strip())

    def close(self) -> None:
        """Stop it and remove its folder."""
        self.kill()
        self.members = []
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None

    @property
    def _cluster(self) -> str:
        return ",".join(f"{member.name}={member.peer_url}" for member in self.members)

    def _try_start(self) -> bool:
        for member in self.members:
            if not member.runs:
                member.spawn(self._cluster)
        deadline = time.monotonic() + READY_DEADLINE_S
        while time.monotonic() < deadline:
            if not all(member.runs for member in self.members):
                return False
            try:
                self.ctl("get", "ready", endpoint=self.members[-1].url)
            except (subprocess.CalledProcessError, subprocess.TimeoutExpired):
                time.sleep(0.05)  # the pause between two questions; the deadline bounds the wait
            else:
                return True
        return False
