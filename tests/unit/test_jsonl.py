"""The sink that writes JSON lines: what it writes, and how its file is rotated."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from corepilot.model.configuration import Metric
from corepilot.model.fact import RunEnded
from corepilot.plugin import OptionError
from corepilot.telemetry.jsonl.lines import of_metrics, of_run
from corepilot.telemetry.jsonl.plugin import Options
from corepilot.telemetry.jsonl.rotated import RotatedFile
from corepilot.telemetry.metrics import Family, Metrics


def written(metrics: Metrics) -> list[dict[str, Any]]:
    return [json.loads(line) for line in of_metrics(metrics.collect(), 1_700_000_000.1234, 0.0)]


def test_a_line_for_each_series() -> None:
    metrics = Metrics([Metric("hits", "h", "counter"), Metric("t", "h", "histogram"), Metric("s", "h", "summary")])
    metrics.add(Family("exits", "counter", "e", ("job",))).record(1, ("ä\n",))
    metrics.record({"hits": 2, "t": 0.3})
    exits, hits, summed, timed = written(metrics)
    assert exits == {
        "at": 1_700_000_000.123,
        "metric": "exits",
        "type": "counter",
        "labels": {"job": "ä\n"},
        "value": 1,
    }
    assert hits == {"at": 1_700_000_000.123, "metric": "hits", "type": "counter", "value": 2}
    assert summed["quantiles"] == {"0.5": None, "0.9": None, "0.99": None}
    assert (timed["count"], timed["sum"]) == (1, 0.3)
    assert (timed["buckets"]["0.25"], timed["buckets"]["0.5"], timed["buckets"]["+Inf"]) == (0, 1, 1)


def test_a_line_for_a_run() -> None:
    line = of_run(RunEnded(1_700_000_000.0, "app", 42, 3, 1, "exit status 1", 2.5))
    assert line.endswith("\n")
    assert json.loads(line) == {
        "at": 1_700_000_000.0, "run": "app", "number": 3, "pid": 42, "status": 1, "reason": "exit status 1",
        "duration_s": 2.5,
    }  # fmt: skip


def test_a_file_is_rotated_before_it_becomes_too_large(tmp_path: Path) -> None:
    path = tmp_path / "m"
    file = RotatedFile(str(path), 10, 2)
    for letter in b"abcdef":
        file.append(bytes([letter]) * 4 + b"\n")
    assert sorted(os.listdir(tmp_path)) == ["m", "m.1", "m.2"]
    assert path.read_bytes() == b"eeee\nffff\n"
    assert (tmp_path / "m.1").read_bytes() == b"cccc\ndddd\n"
    assert (tmp_path / "m.2").read_bytes() == b"aaaa\nbbbb\n"
    file.append(b"g" * 30)  # larger than a file may be: in a file of its own
    file.append(b"h\n")
    assert (tmp_path / "m.1").read_bytes() == b"g" * 30
    assert (tmp_path / "m.2").read_bytes() == b"eeee\nffff\n"


@pytest.mark.parametrize(("limit", "keep", "names"), [(0, 3, ["m"]), (5, 0, ["m"])])
def test_never_rotated_and_nothing_kept(tmp_path: Path, limit: int, keep: int, names: list[str]) -> None:
    file = RotatedFile(str(tmp_path / "m"), limit, keep)
    for _ in range(3):
        file.append(b"1234\n")
    assert sorted(os.listdir(tmp_path)) == names
    assert (tmp_path / "m").stat().st_size == (15 if limit == 0 else 5)


def test_a_file_that_is_moved_away_is_made_anew(tmp_path: Path) -> None:
    file = RotatedFile(str(tmp_path / "m"), 0, 0)
    file.append(b"a\n")
    (tmp_path / "m").rename(tmp_path / "moved")
    file.append(b"b\n")
    assert (tmp_path / "m").read_bytes() == b"b\n"


def test_a_fifo_that_nobody_reads_and_a_missing_directory_are_errors(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    for path in ("fifo", "missing/m", "."):
        with pytest.raises(OSError, match=r"No such|Is a directory"):
            RotatedFile(str(tmp_path / path), 10, 1).append(b"a\n")


def test_a_full_disk_leaves_no_half_line() -> None:
    with pytest.raises(OSError, match="No space"):
        RotatedFile("/dev/full", 10, 1).append(b"a\n")


def test_the_path_is_absolute() -> None:
    with pytest.raises(OptionError):
        Options(path="metrics.jsonl")
