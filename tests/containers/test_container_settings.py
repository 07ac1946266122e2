"""Process settings in a hardened container: read-only root, no capabilities, and users that no file knows."""

from pathlib import Path

import pytest
from containers.container import Container

SCRIPT = "echo $(id -u) $PWD $(umask) $A $(ulimit -n) $(nice); sleep 1000"
SETTINGS = 'cwd: "/tmp", umask: "077", env: {A: "x"}, limits: {nofile: 99}, nice: 19'


def container(job: str, directory: Path, *, user: int, hard: bool = True) -> Container:
    text = f'{{jobs: [{{name: "app", exec: ["sh", "-c", "{SCRIPT}"], stopSignal: "KILL", {job}}}]}}'
    if not hard:
        return Container(text, directory, user=user)
    return Container(text, directory, user=user, capabilities=(), readonly=True, no_new_privileges=True)


@pytest.mark.parametrize("own", ["", 'user: "1000", '])
def test_all_that_needs_no_rights_works_as_uid_1000_with_a_read_only_root(tmp_path: Path, own: str) -> None:
    with container(own + SETTINGS, tmp_path, user=1000) as started:
        started.until("1000 /tmp 0077 x 99 19")
        assert started.stop() == 0


def test_another_user_is_refused_at_the_start_where_nobody_can_become_it(tmp_path: Path) -> None:
    with container('user: "1001"', tmp_path, user=1000) as started:
        assert started.wait() == 1
        assert "cannot use jobs[0].user" in started.output
        assert "corepilot runs as user 1000 here, and may not become another" in started.output


def test_a_number_needs_no_passwd_file(tmp_path: Path) -> None:
    made = container(f'user: "1001:1002", {SETTINGS}', tmp_path, user=0, hard=False)
    (made.root / "etc" / "passwd").unlink()
    (made.root / "etc" / "group").unlink()
    with made as started:
        started.until("1001 /tmp 0077 x 99 19")
        assert started.stop() == 0
