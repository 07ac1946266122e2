"""The Consul agent of the tests can be hurt in the ways that the tests of the backend need."""

import os
import threading

import pytest
from servers.consul import ConsulServer


def test_it_answers(consul: ConsulServer) -> None:
    assert consul.get("/v1/status/leader")
    assert consul.get("/v1/catalog/nodes")[0]["Node"] == "test"


def test_a_restart_loses_the_data(consul: ConsulServer) -> None:
    consul.put("/v1/kv/left", b"here")
    before = consul.pid
    consul.restart()
    assert consul.pid != before
    with pytest.raises(OSError, match="404"):
        consul.get("/v1/kv/left")


def test_what_a_test_leaves_is_removed(consul: ConsulServer) -> None:
    consul.put("/v1/agent/service/register", {"Name": "left", "Port": 1, "Check": {"TTL": "10s"}})
    consul.put("/v1/kv/left", b"here")
    consul.reset()
    assert "left" not in consul.get("/v1/catalog/services")
    with pytest.raises(OSError, match="404"):
        consul.get("/v1/kv/left")


def test_a_paused_agent_answers_when_it_goes_on(consul: ConsulServer) -> None:
    answers: list[object] = []
    consul.pause()
    asking = threading.Thread(target=lambda: answers.append(consul.get("/v1/status/leader")))
    asking.start()
    assert not answers
    consul.resume()
    asking.join(10)
    assert answers


def test_two_side_by_side_and_access_control() -> None:
    acl = {"acl": {"enabled": True, "default_policy": "deny", "tokens": {"initial_management": "root-token"}}}
    with ConsulServer() as open_one, ConsulServer(acl, token="root-token") as closed_one:
        open_one.put("/v1/kv/a", b"1")
        with pytest.raises(OSError, match="404"):
            closed_one.get("/v1/kv/a")
        closed_one.put("/v1/kv/b", b"1")
        pids = open_one.pid, closed_one.pid
    assert not [pid for pid in pids if os.path.exists(f"/proc/{pid}")]
