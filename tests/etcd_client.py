"""Clients of a test's etcd."""

import following
from corepilot_etcd.backend import EtcdBackend
from corepilot_etcd.plugin import Options
from servers.etcd import EtcdServer


class Clients(following.Clients[EtcdBackend]):
    """Makes clients of one server, and closes them."""

    def __init__(self, server: EtcdServer) -> None:
        super().__init__(EtcdBackend, Options, endpoints=server.endpoints)
        self.server = server
