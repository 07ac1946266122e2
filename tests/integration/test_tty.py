"""Jobs with a terminal: what they see, that their output is logged, and that nothing of it stays."""

import re
from pathlib import Path

import pytest
from eventually import eventually
from recording import config
from running import Corepilot, descriptors, descriptors_at_rest

LOOK = """
import fcntl, os, struct, termios
assert all(os.isatty(number) for number in (0, 1, 2))
with open("/dev/tty", "w") as terminal:
    terminal.write("by its name\\n")
assert os.tcgetpgrp(0) == os.getpgrp() == os.getsid(0) == os.getpid()
print("size", *struct.unpack("HHHH", fcntl.ioctl(1, termios.TIOCGWINSZ, bytes(8)))[:2])
os.write(2, b"to stderr\\ntorn")
"""


def texts(corepilot: Corepilot) -> list[str]:
    found = [re.match(r"\S+ a \d+ (.*)", line) for line in corepilot.lines]
    return [match[1] for match in found if match]


@pytest.mark.parametrize("user", ["", 'user: "nobody", '])
def test_all_of_a_jobs_streams_are_its_terminal(tmp_path: Path, user: str) -> None:
    (tmp_path / "look.py").write_text(LOOK)
    for folder in (tmp_path, *tmp_path.parents[:3]):
        folder.chmod(0o755)
    job = f'{{name: "a", exec: ["python3", "-I", "%(dir)s/look.py"], {user} tty: true}}'
    with Corepilot(config(job), tmp_path) as corepilot:
        assert corepilot.wait() == 0, corepilot.output
        assert sorted(texts(corepilot)) == sorted(["by its name", "size 24 80", "to stderr", "torn"])


def test_a_large_output_arrives_whole_and_in_order(tmp_path: Path) -> None:
    job = '{name: "a", exec: ["seq", "20000"], tty: true}'
    with Corepilot(config(job), tmp_path) as corepilot:
        assert corepilot.wait() == 0
        assert texts(corepilot) == [str(number) for number in range(1, 20001)]


def test_a_stop_and_restarts_leave_no_terminal_behind(tmp_path: Path) -> None:
    script = "trap 'echo got TERM; exit' TERM; echo up; while :; do sleep 0.05; done"
    with Corepilot(config(f'{{name: "a", exec: ["sh", "-c", "{script}"], tty: true}}'), tmp_path) as corepilot:
        corepilot.until(" up")
        opened = descriptors_at_rest(corepilot.supervisor)
        for count in (2, 3, 4):
            assert corepilot.client("restart", "a").returncode == 0
            corepilot.until(" up", count=count)
        eventually(lambda: descriptors(corepilot.supervisor) == opened)
        assert corepilot.stop() == 0
        assert "got TERM" in corepilot.output
        assert "no process had to be killed" in corepilot.lines[-1]


def test_standard_input_may_be_a_file_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "input").write_text("line\n")
    job = (
        '{name: "a", exec: ["sh", "-c", "cat; test -t 1 && echo terminal"], tty: true, stdin: {file: "%(dir)s/input"}}'
    )
    with Corepilot(config(job), tmp_path) as corepilot:
        assert corepilot.wait() == 0
        assert texts(corepilot) == ["line", "terminal"]
