"""The log tells each change of a job's state once, at level info, with the job's name as a field (F27)."""

import json
from pathlib import Path
from typing import Any

from eventually import eventually
from recording import shell
from running import Corepilot

CONFIG = f"""{{
    discovery: {{embedded: {{path: "%(dir)s/catalog"}}}}, control: {{socket: "%(dir)s/control.socket"}},
    logging: {{format: "FORMAT"}}, stopTimeout: 2,
    jobs: [
      {{name: "app", exec: "sleep 1000", port: 80, instance: "here", interfaces: ["static:192.0.2.1"],
        health: {{exec: {shell("test ! -e %(dir)s/bad || { echo broken; exit 3; }")}, interval: 1, ttl: 5}}}},
      {{name: "tick", exec: "true", when: {{interval: "100ms"}}}},
      {{name: "once", exec: ["sh", "-c", "exit 4"]}},
    ],
}}"""


def records(corepilot: Corepilot, job: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = [json.loads(line) for line in corepilot.lines]
    return [one for one in found if one.get("job") == job]


def test_each_change_is_one_record_with_the_job(tmp_path: Path) -> None:
    with Corepilot(CONFIG.replace("FORMAT", "json"), tmp_path) as corepilot:
        corepilot.until("Service registered: app as app-here, passing")
        (tmp_path / "bad").touch()
        corepilot.until("unhealthy: check.app exited with error: exit status 3")
        (tmp_path / "bad").unlink()
        eventually(lambda: corepilot.output.count('"healthy"') == 2, message="healthy again")
        assert corepilot.client("maintenance", "enable").returncode == 0
        corepilot.until("Service deregistered: app as app-here")
        assert corepilot.client("restart", "app").returncode == 0
        assert corepilot.client("shutdown").returncode == 0
        assert corepilot.wait() == 0
        app = records(corepilot, "app")
        texts = [one["msg"] for one in app]
        pids = [one["pid"] for one in app if one["msg"].startswith("started")]
        for text in (f"started (pid {pids[0]})", "stopping, to begin anew", "complete"):
            assert texts.count(text) == 1, (text, texts)
        assert texts.count("healthy") == texts.count("in maintenance") == 2  # it begins anew in maintenance
        assert texts.count("unhealthy: check.app exited with error: exit status 3") == 1
        assert texts.count("exited: signal: terminated") == 2
        assert {one["level"] for one in app} == {"info"}
        assert len(set(pids)) == len(pids) == 2
        once = [(one["level"], one["msg"]) for one in records(corepilot, "once")]
        assert once[1:] == [("error", "once exited with error: exit status 4"), ("info", "complete")]
        tick = [one["msg"] for one in records(corepilot, "tick")]
        assert [text.partition(" (")[0] for text in tick] == ["started", "exited: exit status 0", "complete"]


def test_in_the_default_format_the_job_comes_first(tmp_path: Path) -> None:
    with Corepilot(CONFIG.replace("FORMAT", "default"), tmp_path) as corepilot:
        corepilot.until("app: Service registered: app as app-here, passing")
        assert " once exited with error: exit status 4\n" in corepilot.output  # as ContainerPilot says it
        assert " app: healthy\n" in corepilot.output
