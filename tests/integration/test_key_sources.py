"""A configuration that a catalog keeps under a key: `-c etcd://PLACE/KEY`."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from corepilot_etcd.backend import EtcdBackend
from corepilot_etcd.plugin import Options
from servers.etcd import EtcdServer

from corepilot.discovery.keys import Keys
from corepilot.testing.backends import context

GOOD = '{discovery: false, jobs: [{name: "%s", exec: "true"}]}'


def check(*words: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-I", "-m", "corepilot", "check", *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture
def keys(etcd: EtcdServer) -> Iterator[Keys]:
    backend = EtcdBackend(Options(endpoints=etcd.endpoints), context())
    assert backend.keys is not None
    yield backend.keys
    backend.close()


@pytest.fixture
def place(etcd: EtcdServer) -> str:
    return etcd.endpoints[0].removeprefix("http://")


def test_a_key_is_a_configuration(keys: Keys, place: str) -> None:
    keys.put("app/config", (GOOD % "web").encode())
    answer = check("-c", f"etcd://{place}/app/config")
    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert "1 job" in answer.stdout


def test_keys_below_a_slash_are_documents_in_order(keys: Keys, place: str) -> None:
    keys.put("app/10-base", (GOOD % "web").encode())
    keys.put("app/20-more", b'{jobs: [{name: "more", exec: "true"}]}')
    answer = check("-c", f"etcd://{place}/app/")
    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert "2 jobs" in answer.stdout
    keys.put("app/20-more", b"{jobs: 5}")
    assert f"etcd://{place}/app/20-more:1:8" in check("-c", f"etcd://{place}/app/").stdout


def test_keys_below_a_missing_one_are_offered(keys: Keys, place: str) -> None:
    keys.put("many/one", (GOOD % "web").encode())
    answer = check("-c", f"etcd://{place}/many").stdout
    assert "there is no key '/corepilot/keys/many'\n    = for the 1 key below it, write many/\n" in answer


def test_a_place_may_have_a_scheme(keys: Keys, place: str) -> None:
    keys.put("app/config", (GOOD % "web").encode())
    answer = check("-c", f"etcd:http://{place}/app/config?tls.verify=false")
    assert answer.returncode == 0, answer.stdout + answer.stderr


def test_options_stand_behind_a_question_mark(keys: Keys, place: str) -> None:
    keys.put("/elsewhere/keys/config", (GOOD % "web").encode())
    assert check("-c", f"etcd://{place}/config?prefix=/elsewhere").returncode == 0
    assert "prefx" in check("-c", f"etcd://{place}/config?prefx=/x").stdout


@pytest.mark.parametrize(
    ("location", "said"),
    [
        ("etcd://{place}/nothing", "there is no key '/corepilot/keys/nothing'\n    = put the configuration there"),
        ("etcd://{place}/nothing/", "there are no keys below '/corepilot/keys/nothing/'"),
        ("etcd://{place}//nothing?prefix=/x", "there is no key '/nothing'"),
        ("etcd://https://{place}/a", "there are two schemes in it\n    = write etcd:https://…"),
        ("etcd:http://{place}/nothing", "there is no key '/corepilot/keys/nothing'"),
        ("etcd:http://user:secret@{place}/a", "credentials do not belong in a location"),
        ("etcd:user:secret@{place}/a", "credentials do not belong in a location"),
        ("etcd://{place}/a?user=root&password=secret", "password does not belong in a location, which others can see"),
        ("consul://{place}/a?token=secret", "token does not belong in a location, which others can see"),
        ("zookeeper://{place}/a?auth.credential=secret", "auth.credential does not belong in a location"),
        ("etcd://{place}/a?timeout=long", "cannot use timeout: "),
        ("etcd:https://127.0.0.1:1/a?tls.verfy=false", "cannot use tls.verfy: there is no such key here"),
        ("etcd://{place}/a/../b", "is not a key"),
        ("etcd://{place}", "names no key"),
        ("etcd://user:secret@{place}/a", "credentials do not belong in a location"),
        ("etcd://127.0.0.1:1/a", "cannot"),
    ],
)
@pytest.mark.usefixtures("keys")
def test_what_is_said_of_a_location_that_cannot_be_read(place: str, location: str, said: str) -> None:
    answer = check("-c", location.replace("{place}", place))
    assert answer.returncode == 1
    assert said in answer.stdout
    assert "secret" not in answer.stdout


def test_a_value_that_is_no_text(keys: Keys, place: str) -> None:
    keys.put("app", b"\xff{}")
    assert "is not UTF-8 (byte 0)" in check("-c", f"etcd://{place}/app").stdout


def test_the_loader_imports_gevent_for_such_a_location_only(tmp_path: Path) -> None:
    (tmp_path / "app.json5").write_text(GOOD % "web")
    program = f"""
import sys
from corepilot.config.loading import loader
from corepilot.config.loading.exchange import LoadRequest
result = loader.load(LoadRequest(locations=["{tmp_path}/app.json5"], environment={{}}))
assert result.config is not None
assert "gevent" not in sys.modules
"""
    answer = subprocess.run(
        [sys.executable, "-I", "-c", program], capture_output=True, text=True, timeout=60, check=False
    )
    assert answer.returncode == 0, answer.stderr
