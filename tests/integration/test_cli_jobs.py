"""The commands for jobs, reload and plan, against a control server whose supervisor does as it is told."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import gevent
import pytest
from controlling import DONE, Running, change, outcome

from corepilot.cli.main import _carry_out
from corepilot.errors import ControlError

MAIN = """import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # the shell of a background job ignores it
from corepilot.cli.main import main
sys.exit(main())"""
CLIENT = [sys.executable, "-I", "-c", MAIN]


class Answer(NamedTuple):
    status: int
    out: str
    err: str = ""


Client = Callable[..., Answer]


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    made = Running(tmp_path / "x.socket")
    yield made
    made.server.stop()


@pytest.fixture
def client(running: Running, capsys: pytest.CaptureFixture[str]) -> Client:
    """Carries a command out in a thread, since it blocks, while the hub runs the server."""

    def run(*words: str) -> Answer:
        statuses: list[int] = []
        name, *rest = words
        words_of = [*rest, "--socket", running.socket.path]
        asking = threading.Thread(target=lambda: statuses.append(_carry_out(name, words_of, {})))
        asking.start()
        with gevent.Timeout(30):
            while asking.is_alive():
                gevent.sleep(0.002)
        asking.join()
        return Answer(statuses[0], *capsys.readouterr())

    return run


@pytest.mark.parametrize("action", ["start", "stop", "restart"])
def test_an_action_prints_a_line_for_each_change(running: Running, client: Client, action: str) -> None:
    running.supervisor.said = [
        change("web", f"{action}ed", state="running", pid=12),
        change("db", "already", state="stopped"),
        change("db@2", "already", state="running", pid=13),
        change("app", "started", state="failed", message="cannot run /x: no such file"),
        DONE,
    ]
    assert client(action, "web", "db*") == Answer(
        0,
        f"web: {action}ed, pid 12\ndb: already stopped\ndb@2: already running, pid 13\n"
        "app: started, failed, cannot run /x: no such file\n",
    )
    assert running.supervisor.calls == [(action, "web", "db*")]


@pytest.mark.parametrize(
    ("end", "status", "out", "err"),
    [
        (DONE, 0, "", ""),
        ({"result": "done", "message": "not waiting: it stops this job"}, 0, "not waiting: it stops this job\n", ""),
        (
            {"result": "refused", "message": "a.json5:3:5: wrong\na.json5:4:1: wrong too\n"}, 1, "",
            "corepilot: a.json5:3:5: wrong\ncorepilot: a.json5:4:1: wrong too\n",
        ),
        ({"result": "incomplete", "message": "web failed"}, 3, "", "corepilot: web failed\n"),
        (
            {"result": "late", "message": "not done within 5 s"}, 4, "",
            "corepilot: not done within 5 s; request 1 goes on, corepilot status shows how far it is\n",
        ),
    ],
)  # fmt: skip
def test_each_result_has_a_status(
    running: Running, client: Client, end: dict[str, object], *, status: int, out: str, err: str
) -> None:
    running.supervisor.said = [end]
    assert client("reload") == Answer(status, out, err)
    as_json = json.dumps(end, separators=(",", ":")) + "\n"
    assert client("reload", "-o", "json") == Answer(status, as_json, err.replace("request 1", "request 2"))


def test_json_is_one_object_a_line(running: Running, client: Client) -> None:
    running.supervisor.said = [change("web", "unchanged"), change("db", "restarted", pid=1), DONE]
    answer = client("reload", "-o", "json")
    assert [json.loads(line) for line in answer.out.splitlines()] == running.supervisor.said
    assert (answer.status, answer.err) == (0, "")


def test_a_reload_counts_what_is_unchanged(running: Running, client: Client) -> None:
    running.supervisor.said = [
        change("web", "unchanged"),
        change("db", "unchanged"),
        change("other", "unchanged", what="watch"),
        change("app", "removed"),
        change("third", "changed", what="watch"),
        change("", "changed", what="logging"),
        change("", "", what="problem", message="a.json5:1:1: warning"),
        DONE,
    ]
    assert client("reload", "--all") == Answer(
        0,
        "app: removed\nwatch third: changed\nlogging: changed\nunchanged: 2 jobs, 1 watch\n",
        "corepilot: a.json5:1:1: warning\n",
    )
    client("reload")
    assert running.supervisor.calls == [("reload", "all"), ("reload", "changed")]


def test_without_a_wait_there_is_no_wait(running: Running, client: Client) -> None:
    running.supervisor.endless = True
    assert client("stop", "web", "--no-wait") == Answer(
        0, "request 1 has begun; corepilot status web shows how far it is\n"
    )
    assert client("reload", "--no-wait", "-o", "json") == Answer(0, '{"request": 2}\n')
    for operation in running.supervisor.operations:
        assert operation.timeouts == []


@pytest.mark.parametrize(("written", "seconds"), [("0.02", None), ("20ms", 0.02), ("0", 0.0)])
def test_a_timeout_ends_the_wait(running: Running, client: Client, written: str, seconds: float | None) -> None:
    running.supervisor.endless = True
    answer = client("restart", "web*", "--timeout", written)
    if seconds is None:
        assert answer.status == 2
        assert answer.err.startswith("corepilot: cannot use --timeout 0.02: '0.02' is not a duration")
        return
    assert answer == Answer(
        4,
        "web: started, pid 123\n",
        "corepilot: not done in time; request 1 goes on, corepilot status 'web*' shows how far it is\n",
    )
    assert running.supervisor.operations[0].timeouts == [seconds]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["stop"], "cannot run stop with 0 arguments: it takes JOB…; to stop everything: corepilot shutdown"),
        (["start", "web", "--no-wait", "--timeout", "1s"], "cannot use --timeout together with --no-wait"),
        (["start", "web", "--timeout", "-1s"], "cannot use --timeout -1s: it must not be negative"),
        (["wait", "web"], "cannot wait without --for: it is one of running, ready, healthy, complete, stopped"),
        (["signal", "NOPE", "web"], "cannot send signal 'NOPE': write a name, such as HUP or SIGHUP, or a number"),
        (["plan", "/dev/fd/0"], "cannot plan for /dev/fd/0: corepilot reads the file itself"),
    ],
)
def test_what_cannot_be_understood_is_status_2(
    running: Running, client: Client, words: list[str], message: str
) -> None:
    read, write = os.pipe()
    standard = os.dup(0)
    os.dup2(read, 0)  # a pipe, whatever the tests' own standard input is
    try:
        status, out, err = client(*words)
    finally:
        os.dup2(standard, 0)
        for descriptor in (read, write, standard):
            os.close(descriptor)
    assert (status, out) == (2, "")
    assert err.startswith(f"corepilot: {message}")
    assert len(err.splitlines()) == 1
    assert running.supervisor.calls == []


@pytest.mark.parametrize(
    "words", [["start", "web", "nope"], ["signal", "HUP", "web", "nope"], ["wait", "nope", "--for", "running"],
              ["status", "web", "nope"]],
)  # fmt: skip
def test_with_one_unknown_name_nothing_is_done(running: Running, client: Client, words: list[str]) -> None:
    assert client(*words) == Answer(1, "", "corepilot: cannot find job 'nope'; the jobs are web, web-2, db, a/start\n")
    assert running.supervisor.calls == []


def test_what_cannot_be_done_now_is_status_1(running: Running, client: Client) -> None:
    running.supervisor.failure = ControlError("cannot do that: corepilot is stopping")
    for words in (["reload"], ["start", "web"], ["stop", "web", "--no-wait"]):
        assert client(*words) == Answer(1, "", "corepilot: cannot do that: corepilot is stopping\n")


@pytest.mark.parametrize("word", ["HUP", "SIGHUP", "hup", "1"])
def test_signal(running: Running, client: Client, word: str) -> None:
    assert client("signal", word, "web*") == Answer(0, "web: sent HUP to pid 123\nweb-2: sent HUP to pid 124\n")
    assert running.supervisor.calls == [("signal", 1, False, "web*")]


def test_a_signal_that_finds_no_process_is_not_success(running: Running, client: Client) -> None:
    unsent = "corepilot: cannot signal db: it has no process now\n"
    assert client("signal", "TERM", "db", "--group") == Answer(1, "", unsent)
    assert client("signal", "--group", "TERM", "db", "web") == Answer(
        3, "web: sent TERM to the process group of pid 123\n", unsent
    )
    answer = client("signal", "-o", "json", "TERM", "db")
    assert (answer.status, json.loads(answer.out)) == (1, {"job": "db", "pid": None, "signalled": False})


def test_wait(running: Running, client: Client) -> None:
    running.supervisor.said = [change("web", "", state="healthy", pid=12), DONE]
    assert client("wait", "web", "--for", "healthy", "--timeout", "5s") == Answer(0, "web: healthy, pid 12\n")
    assert running.supervisor.calls == [("wait", "healthy", "web")]


def test_status_of_some_jobs(client: Client) -> None:
    assert client("status", "a/start", "d?") == Answer(
        0,
        "JOB      STATE    HEALTH  PID  STARTS  LAST  UP\n"
        "db       stopped  -       -    1       -     -\n"
        "a/start  running  -       125  1       -     1.5s\n",
    )
    answer = client("status", "db", "-o", "json")
    assert [one["name"] for one in json.loads(answer.out)] == ["db"]


PLAN: list[dict[str, object]] = [
    {"what": "job", "name": "web", "kind": "unchanged", "settings": [], "consequence": "goes on"},
    {"what": "job", "name": "db", "kind": "restarted", "settings": [["command", "a", "b\x1b"], ["tags", "", "x"]],
     "consequence": "is stopped and run again"},
    {"what": "watch", "name": "w", "kind": "added", "settings": [], "consequence": "begins"},
    {"what": "logging", "name": "", "kind": "changed", "settings": [["level", "INFO", "DEBUG"]], "consequence": ""},
]  # fmt: skip


def test_plan_says_what_changes_and_why(running: Running, client: Client) -> None:
    running.supervisor.outcome = outcome(ok=True, changes=PLAN)
    assert client("plan") == Answer(
        3,
        "db: restarted (is stopped and run again)\n  command: a -> b\\x1b\n  tags:  -> x\n"
        "watch w: added (begins)\nlogging: changed\n  level: INFO -> DEBUG\nunchanged: 1 job\n",
    )
    answer = client("plan", "-o", "json")
    assert (answer.status, json.loads(answer.out)) == (3, {"changes": PLAN})
    running.supervisor.outcome = outcome(ok=True, changes=PLAN[:1])
    assert client("plan") == Answer(0, "nothing to do\nunchanged: 1 job\n")
    running.supervisor.outcome = outcome(ok=False, text="a.json5:1:1: wrong\na.json5:2:1: wrong\n")
    assert client("plan") == Answer(1, "", "corepilot: a.json5:1:1: wrong\ncorepilot: a.json5:2:1: wrong\n")


def test_plan_names_a_file_so_that_corepilot_finds_it(
    running: Running, client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "new.json5").write_text("{}")
    descriptor = os.open(tmp_path / "new.json5", os.O_RDONLY)
    try:
        for word in ("new.json5", f"{tmp_path}/new.json5", f"file://{tmp_path}/new.json5", f"/dev/fd/{descriptor}"):
            assert client("plan", word).status == 0
    finally:
        os.close(descriptor)
    assert running.supervisor.calls == [("plan", f"{tmp_path}/new.json5")] * 4
    assert client("plan", "new.json5", "env:X", "https://example/y?z").status == 0
    assert running.supervisor.calls[-1] == ("plan", f"{tmp_path}/new.json5", "env:X", "https://example/y?z")


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["env", "B=s3cret", "A=1"], "set for commands that start from now on: A, B"),
        (["metric", "m=1", "n=2"], "recorded m, n"),
        (["maintenance", "enable"], "maintenance enabled"),
        (["maintenance", "disable"], "maintenance disabled"),
        (["shutdown"], "corepilot is stopping"),
    ],
)
def test_what_was_done_is_said_in_one_line(running: Running, client: Client, words: list[str], line: str) -> None:
    assert client(*words) == Answer(0, line + "\n")
    assert len(running.supervisor.calls) == 1


def test_a_name_may_be_anything(client: Client) -> None:
    assert client("instances", "a b") == Answer(0, "", "corepilot: no passing instance of a b\n")
    for name in ("é?x=1", "../jobs", "a%b\n"):
        answer = client("instances", name)
        assert answer.status == 1
        assert answer.err.startswith("corepilot: cannot list instances of ")
        assert answer.err.count("\n") == 1


def test_a_server_that_goes_while_somebody_waits_is_not_taken_for_success(running: Running, client: Client) -> None:
    running.supervisor.endless = True

    def stop() -> None:
        while not running.supervisor.operations or not running.supervisor.operations[0].timeouts:
            gevent.sleep(0.002)
        running.server.stop(0)

    stopping = gevent.spawn(stop)
    answer = client("stop", "web")
    stopping.join()
    assert answer.status == 1
    assert "cannot read the whole answer" in answer.err


@pytest.mark.parametrize("line", [{}, {"result": "done"}, {"what": "job"}])
def test_an_answer_that_is_none_is_not_taken_for_success(
    running: Running, client: Client, line: dict[str, object]
) -> None:
    running.supervisor.said = [line, DONE]
    assert client("stop", "web") == Answer(
        1, "", "corepilot: cannot understand the answer: a line of it is no change; is this the socket of corepilot?\n"
    )
    running.supervisor.said = [change("web", "stopped"), change("web", "stopped")]
    answer = client("stop", "web")
    assert answer.status == 1
    assert answer.err.startswith("corepilot: cannot tell what became of request 2: the answer has no end")


def test_ctrl_c_ends_the_wait_and_says_that_the_request_goes_on(running: Running) -> None:
    running.supervisor.endless = True
    with subprocess.Popen(
        [*CLIENT, "stop", "web", "--socket", running.socket.path],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True,
    ) as process, gevent.Timeout(60):  # fmt: skip
        assert process.stdout is not None
        hub: Any = gevent.get_hub()
        hub.loop.install_sigchld()
        ended = hub.loop.child(process.pid)  # the loop waits for children itself: Popen would be told nothing
        gevent.socket.wait_read(process.stdout.fileno())
        process.send_signal(signal.SIGINT)
        hub.wait(ended)
        process.returncode = os.waitstatus_to_exitcode(ended.rstatus)
        out, err = process.communicate()
    assert (process.returncode, out) == (130, "web: started, pid 123\n")
    assert err == "corepilot: interrupted: request 1 goes on; corepilot status web shows how far it is\n"
    assert not running.supervisor.operations[0].ended.is_set()
