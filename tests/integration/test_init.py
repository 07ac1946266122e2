"""`corepilot init`: it asks at a terminal, and what it writes works."""

import os
import pty
import select
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from servers.process import free_port

from corepilot.cli.init import FILES, files_of

PROGRAMS = Path(sys.prefix) / "bin"


def test_it_asks_three_questions_and_asks_again_what_it_does_not_understand(tmp_path: Path) -> None:
    directory = tmp_path / "My Shop"
    command = [str(PROGRAMS / "corepilot"), "init", "--directory", str(directory)]
    ours, theirs = pty.openpty()
    try:
        with subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs) as process:
            os.write(ours, b"node server.js\n80 80\n8080\nconsul=\n\n")
            status = process.wait(60)
        said = ""
        while "# runs it" not in said and select.select([ours], [], [], 10)[0]:  # it comes in pieces
            said += os.read(ours, 4096).decode()
    finally:
        os.close(theirs)
        os.close(ours)
    assert status == 0, said
    for words in ("What does it run?", "cannot listen on '80 80'", "[none]", "write consul=HOST:PORT", "[embedded]"):
        assert words in said
    assert {file.name: file.read_text() for file in directory.iterdir()} == files_of(
        "my-shop", "node server.js", 8080, ("embedded", "")
    )
    assert [oct(directory.joinpath(name).stat().st_mode & 0o777) for name in FILES] == ["0o644", "0o644", "0o755"]


@pytest.mark.slow
@pytest.mark.parametrize(
    "options",
    [
        ("--run", "python3 -m http.server --bind 127.0.0.1 {port}", "--port", "{port}", "--catalog", "etcd"),
        ("--run", 'exec sleep "$((500 * 2))"', "--catalog", "none", "--name", "batch"),
    ],
    ids=["a service", "a script without a port"],
)
def test_the_walk_that_it_writes_goes_well(options: Sequence[str], tmp_path: Path) -> None:
    path = f"{PROGRAMS}:/usr/bin:/bin"
    environment = {"PATH": path, "TMPDIR": str(tmp_path)}
    port = free_port()
    words = [word.format(port=port) for word in options]
    new = ["corepilot", "init", "--directory", str(tmp_path / "web"), *words]
    written = subprocess.run(
        new, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    assert written.returncode == 0, written.stderr
    checked = subprocess.run(
        ["corepilot", "check", "--here", str(tmp_path / "web" / "corepilot.json5")],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (checked.returncode, "warning" in checked.stdout) == (0, False), checked.stdout + checked.stderr
    walk = subprocess.run(
        [str(tmp_path / "web" / "walk")], env=environment, capture_output=True, text=True, check=False
    )
    assert walk.returncode == 0, walk.stdout + walk.stderr
    assert walk.stdout.endswith("everything as expected\n")
    assert sorted(one.name for one in tmp_path.iterdir()) == ["web"]


def test_a_walk_that_does_not_go_well_says_so(tmp_path: Path) -> None:
    texts = files_of("web", "false", 0, ("none", ""))
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
    (tmp_path / "corepilot.json5").write_text('{jobs: [{name: "web", exec: "sleep 1000", oops: 1}]}')
    environment = {"PATH": f"{PROGRAMS}:/usr/bin:/bin"}
    walk = subprocess.run(
        ["sh", str(tmp_path / "walk")], env=environment, capture_output=True, text=True, check=False, timeout=60
    )
    assert walk.returncode == 1
    assert "not as expected: corepilot should answer" in walk.stderr
    assert "oops" in walk.stderr
