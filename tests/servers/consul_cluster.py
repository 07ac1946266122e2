"""Three Consul servers that elect a leader, for the tests, and lose it."""

import http.client
from contextlib import suppress
from pathlib import Path

from eventually import eventually
from servers.consul import ConsulServer
from servers.process import Opened

SIZE = 3
QUICK = {"performance": {"raft_multiplier": 1}, "connect": {"enabled": False}, "leave_on_terminate": False}


class Member(ConsulServer):
    """One server of a cluster. `start` returns when it answers, which it does without a leader too."""

    def __init__(self, name: str, cluster: "ConsulCluster") -> None:
        super().__init__(QUICK)
        self.name = name
        self._cluster = cluster

    @property
    def lan(self) -> str:
        """Where other servers join it."""
        return f"127.0.0.1:{self._ports[2]}"

    def _role(self, folder: Path) -> list[str]:
        others = [one.lan for one in self._cluster.members if one is not self and one.port]
        return [
            *("-server", f"-bootstrap-expect={SIZE}", f"-data-dir={folder / 'data'}", f"-node={self.name}"),
            *(f"-retry-join={one}" for one in others),
            "-retry-interval=1s",
        ]

    def serves(self) -> bool:
        """Whether it answers, be it without a leader."""
        try:
            return bool(self.get("/v1/agent/self"))
        except (OSError, http.client.HTTPException, ValueError):
            return False


class ConsulCluster(Opened):
    """Three servers on 127.0.0.1, each with an agent's HTTP interface. A context manager."""

    def __init__(self) -> None:
        self.members: list[Member] = []
        self.members += [Member(f"server-{number}", self) for number in range(SIZE)]

    def start(self) -> None:
        """See `Opened`."""
        for member in self.members:
            member.start()
        self.until_led()

    def leader(self) -> Member | None:
        """Who leads, as those say that run; None while they do not agree."""
        told = set()
        for member in self.running():
            with suppress(OSError, http.client.HTTPException, ValueError):
                told.add(member.get("/v1/status/leader"))
        if len(told) != 1:
            return None
        port = told.pop().rpartition(":")[2]
        return next((one for one in self.running() if str(one._ports[1]) == port), None)

    def running(self) -> list[Member]:
        """Those that run."""
        return [one for one in self.members if one.pid]

    def until_led(self) -> Member:
        """Wait until all that run name one of them as the leader, and each answers from it."""
        eventually(lambda: all(map(_answers, self.running())) and self.leader(), 60, "the servers have a leader")
        leader = self.leader()
        if leader is None:
            raise RuntimeError("the servers have lost their leader again")
        return leader

    def close(self) -> None:
        """Stop all of them."""
        for member in self.members:
            member.close()


def _answers(member: Member) -> bool:
    try:
        return bool(member.get("/v1/catalog/nodes?consistent"))
    except (OSError, http.client.HTTPException, ValueError):
        return False
