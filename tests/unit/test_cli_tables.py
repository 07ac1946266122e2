"""What commands print of names that others chose."""

import argparse
from typing import Any

import pytest

from corepilot.cli import commands, status

NAME = "a\nb\x1b[2J\udcff"
SHOWN = r"a\nb\x1b[2J\udcff"


def printed(
    command: Any, answer: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *words: str
) -> str:
    for module in (commands, status):
        monkeypatch.setattr(module, "ask", lambda *_words, **_more: answer)
        monkeypatch.setattr(module, "client_of", lambda _arguments: None)
    arguments = argparse.Namespace(
        socket="/no", output=None, positionals=["web"] if command is commands.instances else [*words]
    )
    assert command(arguments) == 0
    return capsys.readouterr().out


def test_an_instance_is_one_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    one = {"status": "passing", "address": "192.0.2.1", "port": 80, "id": NAME}
    assert printed(commands.instances, [one], monkeypatch, capsys) == f"192.0.2.1:80 {SHOWN}\n"


def test_a_job_is_one_row(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    job = {
        "name": NAME, "state": "running", "health": "healthy", "pid": 7, "starts": 1, "last_status": None, "up_s": None,
        "ready": None, "said": "", "checks": [], "waits_for": [], "user": "", "listen": [], "trouble": "",
    }  # fmt: skip
    service = {
        "id": NAME, "address": "192.0.2.1", "port": 80, "status": "passing", "in_sync": True, "catalog": "one",
        "last_error": "",
    }  # fmt: skip
    other = {**service, "in_sync": False, "catalog": "two", "last_error": NAME}
    watch = {"name": NAME, "passing": 1, "instances": 2, "connected": False, "last_error": "it is down"}
    catalog = {"name": "one", "backend": "one", "address": "here", "off": "", "mode": "", "refused": True}
    answer = {
        "catalogs": [catalog], "locks": [], "render": [],
        "version": "1", "pid": 1, "uptime_s": 1.0, "config": NAME, "socket": NAME, "stopping": False,
        "jobs": [job], "services": [service, other], "watches": [watch], "sinks": [], "observers": [],
    }  # fmt: skip
    width = len(SHOWN)
    lines = printed(status.status, answer, monkeypatch, capsys).splitlines()
    assert lines == [
        f"corepilot 1, pid 1, up 1s, {SHOWN}",
        f"catalog one at here (refuses what it is asked), socket {SHOWN}",
        f"{'JOB':<{width}}  STATE    HEALTH   PID  STARTS  LAST  UP",
        f"{SHOWN}  running  healthy  7    1       -     -",
        f"{'INSTANCE':<{width}}  ADDRESS       STATUS   CATALOG  IN SYNC  TROUBLE",
        f"{SHOWN}  192.0.2.1:80  passing  one      yes      -",
        f"{SHOWN}  192.0.2.1:80  passing  two      no       {SHOWN}",
        f"{'WATCH':<{width}}  PASSING  INSTANCES  CONNECTED  TROUBLE",
        f"{SHOWN}  1        2          no         it is down",
    ]


def test_user_and_sockets_are_columns_where_a_job_has_them(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    plain = {
        "name": "db", "state": "running", "health": "healthy", "pid": 7, "starts": 1, "last_status": None, "up_s": None,
        "ready": None, "said": "", "checks": [], "waits_for": [], "user": "", "listen": [],
    }  # fmt: skip
    web = {**plain, "name": "web", "user": "www-data", "listen": ["*:80", "/run/web.sock"]}
    lines = printed(status.status, [plain, web], monkeypatch, capsys, "db", "web").splitlines()
    assert lines == [
        "JOB  STATE    HEALTH   PID  STARTS  LAST  UP  USER      LISTEN",
        "db   running  healthy  7    1       -     -   -         -",
        "web  running  healthy  7    1       -     -   www-data  *:80, /run/web.sock",
    ]
