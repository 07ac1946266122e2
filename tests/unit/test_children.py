"""Finding our children."""

import os
import subprocess
import sys
from pathlib import Path

from corepilot.system.children import children, children_by_parent, name_of, sees_processes


def test_both_ways_find_the_same_children() -> None:
    waiting = [subprocess.Popen([sys.executable, "-I", "-c", "input()"], stdin=subprocess.PIPE) for _ in range(3)]
    pids = {process.pid for process in waiting}
    assert pids <= children()
    assert children() == children_by_parent()
    for process in waiting:
        process.communicate(b"\n")
    assert not pids & children()


def test_a_name_with_control_characters_is_escaped(tmp_path: Path) -> None:
    script = f"open({str(tmp_path / 'named')!r}, 'w').write('')\ninput()"
    command = [sys.executable, "-I", "-c", f"open('/proc/self/comm', 'w').write('a\\x1bb\\nc')\n{script}"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        while not (tmp_path / "named").exists():
            assert process.poll() is None
        assert name_of(process.pid) == "a\\x1bb\\nc"
        process.stdin.write("\n")
    assert name_of(process.pid) == "?"


def test_the_proc_of_another_namespace_does_not_count() -> None:
    """Its numbers are not those that kill(2) takes."""
    script = """import os
from corepilot.system.children import children, sees_processes
child = os.fork()
if child == 0:
    os.read(os.pipe()[0], 1)
assert (sees_processes(), children()) == (False, frozenset()), children()
assert os.listdir("/proc/self/task")
os.kill(child, 9)
print("so it is")
"""
    command = ["unshare", "--pid", "--fork", "--kill-child", sys.executable, "-c", script]
    answer = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True)
    assert answer.stdout == "so it is\n"
    assert sees_processes()
    assert os.getpid() not in children()
