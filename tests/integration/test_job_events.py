"""What a job is told of the event that has started it: in its environment and on its standard input."""

import json
from pathlib import Path

from eventually import eventually
from recording import config
from registering import catalog, register
from running import Corepilot

WATCH = 'discovery: { backend: "embedded", path: "%(dir)s/catalog" }, watches: [{ name: "app" }, { name: "empty" }],'
TOLD = "env | grep ^COREPILOT_EVENT | sort | tr '\\n' ' '"


def lines(file: Path) -> list[str]:
    return [" ".join(line.split()) for line in file.read_text().splitlines()]


def test_a_job_is_told_how_the_other_one_has_ended(tmp_path: Path) -> None:
    say = f'exec: ["sh", "-c", "({TOLD}; echo) >> $0; exit $1"'
    text = config(
        '{ name: "first", exec: ["sh", "-c", "exit 3"] }, { name: "second", exec: ["sh", "-c", "kill -9 $$"] },'
        f'{{ name: "a", {say}, "a", "0"], when: {{ source: "first", once: "exitFailed" }} }},'
        f'{{ name: "b", {say}, "b", "1"], when: {{ source: "second", once: "exitFailed" }}, restarts: 1 }},'
        f'{{ name: "c", {say}, "c", "0"] }},'
        f'{{ name: "third", exec: ["sh", "-c", "exit 137"] }},'
        f'{{ name: "d", {say}, "d", "0"], when: {{ source: "third", once: "exitFailed" }} }}'
    )
    with Corepilot(text, tmp_path, environment={"COREPILOT_EVENT_STATUS": "of an outer one"}) as corepilot:
        corepilot.wait()
        assert "second exited with error: signal: killed" in corepilot.output
        assert "third exited with error: exit status 137" in corepilot.output
    assert lines(tmp_path / "a") == ["COREPILOT_EVENT=exitFailed COREPILOT_EVENT_SOURCE=first COREPILOT_EVENT_STATUS=3"]
    killed = (
        "COREPILOT_EVENT=exitFailed COREPILOT_EVENT_SIGNAL=SIGKILL COREPILOT_EVENT_SOURCE=second "
        "COREPILOT_EVENT_STATUS=137"
    )
    assert lines(tmp_path / "b") == [killed, killed]  # its restart, too
    assert lines(tmp_path / "c") == ["COREPILOT_EVENT=startup COREPILOT_EVENT_SOURCE=global"]
    assert lines(tmp_path / "d") == [
        "COREPILOT_EVENT=exitFailed COREPILOT_EVENT_SOURCE=third COREPILOT_EVENT_STATUS=137"  # no signal has ended it
    ]


def test_a_job_reads_the_instances_of_the_watch_that_has_started_it(tmp_path: Path) -> None:
    read = 'exec: ["sh", "-c", "cat > $0.new; echo $COREPILOT_EVENT_PASSING >> $0.new; mv $0.new $0"'
    text = config(
        '{ name: "main", exec: "sleep 1000" },'
        f'{{ name: "a", {read}, "a"], stdin: "event", when: {{ source: "watch.app", each: "changed" }} }},'
        f'{{ name: "b", {read}, "b"], when: {{ source: "watch.app", each: "changed" }} }},'
        f'{{ name: "c", {read}, "c"], stdin: "event" }}',
        WATCH,
    ).replace("consul: false, ", "")

    def read_by(name: str) -> list[str]:
        return (tmp_path / name).read_text().splitlines()

    with catalog(tmp_path) as backend, Corepilot(text, tmp_path) as corepilot:
        corepilot.until_ready()
        assert eventually(lambda: read_by("c")) == ["null", ""]
        for number in (1, 2):
            register(backend, 79 + number)
            eventually(lambda number=number: read_by("a")[1:] == [str(number)])  # type: ignore[misc]
        eventually(lambda: read_by("b") == ["2"])
        assert json.loads(read_by("a")[0]) == [
            {"id": f"app-{port}", "service": "app", "address": "192.0.2.1", "port": port, "tags": []}
            for port in (80, 81)
        ]
        assert corepilot.stop() == 0


def test_what_a_job_reads_may_be_long_and_need_not_be_read(tmp_path: Path) -> None:
    """Longer than a pipe holds: nobody waits for the job to read it, and what it writes is logged as ever."""
    text = config(
        '{ name: "main", exec: "sleep 1000" },'
        '{ name: "a", exec: ["sh", "-c", "wc -c > size; echo said >&2"], stdin: "event", '
        'when: { source: "watch.app", each: "changed" } },'
        '{ name: "deaf", exec: "sleep 1000", stdin: "event", when: { source: "watch.app", each: "changed" } }',
        WATCH,
    ).replace("consul: false, ", "")
    with catalog(tmp_path) as backend, Corepilot(text, tmp_path) as corepilot:
        corepilot.until_ready()
        for port in range(1, 1501):
            register(backend, port)
        eventually(lambda: int((tmp_path / "size").read_text() or 0) > 100_000)
        corepilot.until("said")
        assert corepilot.job("deaf")["state"] == "running"
        assert corepilot.stop() == 0
