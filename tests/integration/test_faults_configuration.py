"""Configurations of unusual size, environments that are no text, secrets on their way through, observers that wait."""

import os
import subprocess
from pathlib import Path

from recording import config, shell
from running import Corepilot, cli

from corepilot.testing.running import COMMAND


def test_a_thousand_jobs_are_judged(tmp_path: Path) -> None:
    padding = "x" * 800
    jobs = ", ".join(f'{{name: "job-{number}", exec: ["echo", "{padding}"]}}' for number in range(1000))
    (tmp_path / "many.json5").write_text(f"{{discovery: false, jobs: [{jobs}]}}")
    answer = cli("check", str(tmp_path / "many.json5"))
    assert answer.returncode == 0, answer.stderr


def test_a_job_gets_an_environment_that_is_no_text_as_it_was_given(tmp_path: Path) -> None:
    given = {
        b"PATH": os.environb[b"PATH"],
        b"BYTES": b"\xff\xfe caf\xe9",
        b"LINES": b"one\ntwo",
        b"odd.name-\xe9": b"=a=b",
        b"EMPTY": b"",
        **{f"LONG_{number}".encode(): b"x" * 100_000 for number in range(8)},
    }
    (tmp_path / "c.json5").write_text(
        config(f'{{name: "a", exec: {shell("cat /proc/$$/environ > %(dir)s/seen")}}}').replace("%(dir)s", str(tmp_path))
    )
    answer = subprocess.run(
        [*COMMAND, "run", "-c", str(tmp_path / "c.json5")], env=given, capture_output=True, timeout=30, check=False
    )
    assert answer.returncode == 0, answer.stderr
    seen = (tmp_path / "seen").read_bytes().split(b"\0")
    assert {name + b"=" + value for name, value in given.items()} <= set(seen)


def test_secrets_are_in_no_output_whatever_the_level(tmp_path: Path) -> None:
    secrets = {"CATALOG_TOKEN": "canary-one", "DB_PASSWORD": "canary-two"}
    catalog = 'consul: {address: "127.0.0.1:1", token: "{{ .CATALOG_TOKEN }}"}'
    more = 'watches: [{name: "web", interval: 1}], logging: {level: "DEBUG"},'
    text = config('{name: "a", exec: ["sh", "-c", "exec sleep 1000", "{{ .DB_PASSWORD }}"]}', more).replace(
        "consul: false", catalog
    )
    broken = text.replace("jobs: [", 'jobs: [{exec: ["sh", "{{ .CATALOG_TOKEN }}"]}, ')
    with Corepilot(text, tmp_path, environment=secrets) as corepilot:
        corepilot.until("loaded config")
        corepilot.until("127.0.0.1:1")
        corepilot.until_ready()
        said = corepilot.client("status", "-o", "json").stdout + corepilot.client("status").stdout
        corepilot.client("env", "DB_PASSWORD=canary-three")
        corepilot.configure(broken)
        refused = corepilot.client("reload")
        assert refused.returncode == 1
        said += refused.stdout + refused.stderr
        corepilot.configure(text)
        assert corepilot.client("reload").returncode == 0
        corepilot.until("loaded config", 2)
        assert corepilot.stop() == 0
        assert "canary" not in said
        assert "canary" not in corepilot.output
