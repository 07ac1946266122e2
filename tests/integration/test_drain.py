"""A job that drains, on a real catalog: gone from the catalog, seen to be gone, and only then signalled."""

import os
import signal
from pathlib import Path

from eventually import eventually
from recording import shell
from running import Corepilot

CONFIG = f"""{{
    discovery: {{embedded: {{path: "%(dir)s/catalog"}}}}, control: {{socket: "%(dir)s/control.socket"}}, stopTimeout: 5,
    jobs: [{{name: "app", port: 80, instance: "here", interfaces: ["static:192.0.2.1"], drain: "DRAIN",
      exec: {shell("trap 'date +%s.%N > ended; exit 0' TERM; date +%s.%N > begun; while :; do sleep 0.02; done")},
      health: {{exec: "true", interval: 1, ttl: 5}}}}],
}}"""


def test_it_is_gone_from_the_catalog_before_it_is_signalled(tmp_path: Path) -> None:
    with Corepilot(CONFIG.replace("DRAIN", "1500ms"), tmp_path) as corepilot:
        corepilot.until("Service registered: app as app-here, passing")
        pid = corepilot.job("app")["pid"]
        corepilot.signal(signal.SIGTERM)
        corepilot.until("out of the catalog; goes on for 1.5 s")
        left = [text for text in corepilot.lines if "out of the catalog" in text]
        assert not list((tmp_path / "catalog").rglob("app-here*"))
        os.kill(pid, 0)  # it goes on
        assert not (tmp_path / "ended").exists()
        assert corepilot.wait() == 0
        assert (tmp_path / "ended").exists()
        assert len(left) == 1
        assert corepilot.output.index("leaving the catalog before it is stopped") < corepilot.output.index(left[0])


def test_a_second_signal_hurries_it(tmp_path: Path) -> None:
    with Corepilot(CONFIG.replace("DRAIN", "10m"), tmp_path) as corepilot:
        corepilot.until("Service registered: app as app-here, passing")
        corepilot.signal(signal.SIGTERM)
        corepilot.until("out of the catalog; goes on for 600 s")
        corepilot.signal(signal.SIGTERM)
        assert corepilot.wait() == 0
        assert "SIGTERM again: every process that is left is killed now" in corepilot.output


def test_a_stop_by_hand_drains_and_a_job_outside_the_catalog_does_not(tmp_path: Path) -> None:
    with Corepilot(CONFIG.replace("DRAIN", "200ms"), tmp_path) as corepilot:
        corepilot.until("Service registered: app as app-here, passing")
        assert corepilot.client("stop", "app").returncode == 0
        assert corepilot.output.count("out of the catalog; goes on for 0.2 s") == 1
        assert corepilot.client("start", "app").returncode == 0
        assert corepilot.client("maintenance", "enable").returncode == 0
        eventually(lambda: not list((tmp_path / "catalog").rglob("app-here*")))
        assert corepilot.client("stop", "app").returncode == 0
        assert corepilot.output.count("out of the catalog") == 1
