"""Consul as a cluster of three servers: examples/consul-raft."""

import pytest
from walks import walk


@pytest.mark.slow
@pytest.mark.timeout(320)
def test_no_key_is_lost_while_servers_are_killed_and_replaced() -> None:
    assert "every key that was written is on every server" in walk("consul-raft")
