"""Real etcd servers for the tests, with ways to hurt them: one, or several that are one cluster."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from eventually import eventually
from servers.process import START_TRIES, Opened, Process, becomes_ready, free_port


class EtcdMember(Process):
    """One process of etcd on 127.0.0.1, and its folder.

    Args:
        name: Unique in the cluster.
        folder: Where its data and its log are.
        arguments: More arguments of etcd (TLS, …).
        scheme: What clients speak.
    """

    def __init__(self, name: str, folder: Path, arguments: Sequence[str] = (), scheme: str = "http") -> None:
        super().__init__(name)
        self.port, self.peer_port = free_port(), free_port()
        self.url = f"{scheme}://127.0.0.1:{self.port}"
        self.peer_url = f"http://127.0.0.1:{self.peer_port}"
        self.folder, self._arguments = folder, tuple(arguments)

    @property
    def log(self) -> str:
        """The end of what it said."""
        return (self.folder / "log").read_text(errors="replace")[-4000:]

    def spawn(self, cluster: str) -> None:
        """Start it, with the data that it has."""
        command = [
            *("etcd", "--name", self.name, "--data-dir", str(self.folder / "data"), "--logger", "zap"),
            *("--listen-client-urls", self.url, "--advertise-client-urls", self.url),
            *("--listen-peer-urls", self.peer_url, "--initial-advertise-peer-urls", self.peer_url),
            *("--initial-cluster", cluster, "--unsafe-no-fsync", *self._arguments),
        ]
        self.folder.mkdir(exist_ok=True)
        self.launch(command, self.folder / "log")


class EtcdServer(Opened):
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

    def start(self) -> None:
        """See `Opened`. On the ports and with the data of before, if there are any."""
        fresh = not self.members
        for _ in range(START_TRIES if fresh else 1):
            if not self.members:
                self._folder = tempfile.TemporaryDirectory(prefix="etcd-server-")
                self.members = [
                    EtcdMember(f"m{number}", Path(self._folder.name) / f"m{number}", self._arguments, self._scheme)
                    for number in range(self._number)
                ]
            for member in self.members:
                if not member.runs:
                    member.spawn(self._cluster)
            if becomes_ready(lambda: all(member.runs for member in self.members), self.serves):
                return
            log = self.members[0].log
            if fresh:
                self.close()
        raise RuntimeError(f"cannot start etcd:\n{log}")

    def serves(self) -> bool:
        """Whether the last member answers."""
        try:
            self.ctl("get", "ready", endpoint=self.members[-1].url)
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired):
            return False
        return True

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
        self.kill()
        for member in self.members:
            shutil.rmtree(member.folder / "data")
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
        self.revoke_leases()

    def revoke_leases(self) -> None:
        """End every lease, and with it the keys that it has."""
        for line in self.ctl("lease", "list").splitlines()[1:]:
            with suppress(subprocess.CalledProcessError):  # it has expired, or was given back meanwhile
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
