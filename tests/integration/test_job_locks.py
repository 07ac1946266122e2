"""Jobs that need a lock, and `corepilot lock`, on a real catalog."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from eventually import eventually
from running import Corepilot, alive
from servers.etcd import EtcdServer

from corepilot.system.groups import children_of, descendants

TTL_S = 7
TEXT = """{
  discovery: {backend: "etcd", endpoints: ["%s"]},
  control: {socket: "%%(dir)s/control.socket"},
  stopTimeout: 1,
  locks: [{name: "primary", ttl: "%ds"}],
  jobs: [
    {name: "app", lock: "primary", exec: ["sh", "-c", "echo token=$COREPILOT_LOCK_TOKEN; sleep 9 & exec sleep 999"]},
    {name: "told", exec: "echo told", when: {source: "lock.primary", each: "acquired"}},
    {name: "also", exec: "sleep 1000"},
  ],
}"""


class Pair:
    """Two corepilots with one configuration."""

    def __init__(self, etcd: EtcdServer, folder: Path, text: str = "") -> None:
        self._stack = ExitStack()
        self.members: list[Corepilot] = []
        for name in ("one", "two"):
            (folder / name).mkdir()
            member = Corepilot(text or TEXT % (etcd.endpoints[0], TTL_S), folder / name)
            self.members.append(self._stack.enter_context(member))
            member.until_ready()

    def close(self) -> None:
        self._stack.close()

    def split(self) -> tuple[Corepilot, Corepilot]:
        """Who runs the job, and who stands by; waited for."""
        found: list[Corepilot] = []

        def one_runs() -> bool:
            found[:] = sorted(self.members, key=lambda one: one.job("app")["state"] != "running")
            return [one.job("app")["state"] for one in found] == ["running", "standby"]

        eventually(one_runs)
        return found[0], found[1]


@pytest.fixture
def pair(etcd: EtcdServer, tmp_path: Path) -> Iterator[Pair]:
    two = Pair(etcd, tmp_path)
    yield two
    two.close()


def lock_of(corepilot: Corepilot) -> dict[str, Any]:
    (found,) = corepilot.status()["locks"]
    return dict(found)


def test_one_runs_and_the_other_stands_by_and_takes_over(pair: Pair) -> None:
    holder, other = pair.split()
    assert holder.job("also")["state"] == other.job("also")["state"] == "running"
    token = lock_of(holder)["token"]
    holder.until(f"token={token}")
    holder.until("told")
    assert (lock_of(holder)["held"], lock_of(other)["held"]) == (True, False)
    eventually(lambda: lock_of(other)["holder"] == lock_of(holder)["holder"])
    assert holder.client("stop", "app").returncode == 0
    eventually(lambda: other.job("app")["state"] == "running")
    assert lock_of(other)["token"] > token
    assert holder.client("start", "app").returncode == 0
    assert holder.job("app")["state"] == "standby"
    assert other.client("restart", "app").returncode == 0
    pair.split()
    assert other.stop() == 0
    eventually(lambda: holder.job("app")["state"] == "running")
    assert holder.stop() == 0


def test_a_supervisor_that_hangs_loses_the_job_before_another_has_it(etcd: EtcdServer, tmp_path: Path) -> None:
    """When it goes on, it hears of the job's end before it knows that the lock is lost: no restart comes of that."""
    restarts = '{name: "app", restarts: "unlimited", '
    pair = Pair(etcd, tmp_path, (TEXT % (etcd.endpoints[0], TTL_S)).replace('{name: "app", ', restarts))
    try:
        holder, other = pair.split()
        _lost_while_stopped(holder, other)
    finally:
        pair.close()


def _lost_while_stopped(holder: Corepilot, other: Corepilot) -> None:
    pid, supervisor = holder.job("app")["pid"], holder.supervisor
    os.kill(supervisor, signal.SIGSTOP)
    try:
        alive_then: list[bool] = []

        def taken_over() -> bool:
            runs = bool(other.job("app")["state"] == "running")
            if runs:
                alive_then.append(alive(pid))
            return runs

        eventually(taken_over)
        assert alive_then == [False]
    finally:
        os.kill(supervisor, signal.SIGCONT)
    holder.until("has neither renewed a lock nor ended what runs under it")
    eventually(lambda: holder.job("app")["state"] == "standby")
    assert holder.job("also")["state"] == "running"
    assert (holder.output.count("token="), holder.job("app")["starts"]) == (1, 1)


def test_a_stop_hook_runs_with_the_token_and_not_after_the_time_of_the_lock(etcd: EtcdServer, tmp_path: Path) -> None:
    hook = '{name: "hook", exec: ["sh", "-c", "echo hooked=$COREPILOT_LOCK_TOKEN."], '
    hook += 'timeout: "1s", when: {source: "app", each: "stopping"}},'
    text = TEXT % (etcd.endpoints[0], 10)
    text = text.replace('{name: "told"', hook + '{name: "told"')
    pair = Pair(etcd, tmp_path, text.replace('{name: "app", ', '{name: "app", stopTimeout: "1s", '))
    try:
        holder, other = pair.split()
        token = lock_of(holder)["token"]
        assert holder.client("stop", "app").returncode == 0
        holder.until(f"hooked={token}.")
        assert holder.client("start", "app").returncode == 0
        holder, other = pair.split()
        hooked = holder.output.count("hooked=")
        os.kill(holder.supervisor, signal.SIGSTOP)
        try:
            eventually(lambda: other.job("app")["state"] == "running")
        finally:
            os.kill(holder.supervisor, signal.SIGCONT)
        holder.until("not started before app is stopped: the time of the lock primary is over")
        eventually(lambda: holder.job("app")["state"] == "standby")
        assert holder.output.count("hooked=") == hooked
        assert holder.output.count("not started before app is stopped") == 1
        token = lock_of(other)["token"]
        assert other.client("stop", "app").returncode == 0
        other.until(f"hooked={token}.")
    finally:
        pair.close()


def test_a_stop_hook_of_a_supervisor_that_hangs_ends_with_the_lock(etcd: EtcdServer, tmp_path: Path) -> None:
    script = "trap '' TERM; echo hook=$$.; setsid sleep 998 & wait"
    hook = (
        f'{{name: "hook", exec: ["sh", "-c", "{script}"], timeout: "2s", when: {{source: "app", each: "stopping"}}}},'
    )
    text = (TEXT % (etcd.endpoints[0], 12)).replace('{name: "told"', hook + '{name: "told"')
    with Corepilot(text.replace('{name: "app", ', '{name: "app", stopTimeout: "2s", '), tmp_path) as holder:
        eventually(lambda: holder.job("app")["state"] == "running")
        supervisor = holder.supervisor
        with ThreadPoolExecutor(1) as threads:
            threads.submit(holder.client, "stop", "app")
            holder.until("hook=")
            os.kill(supervisor, signal.SIGSTOP)
            hook_pid = int(holder.output.partition("hook=")[2].partition(".")[0])
            (apart,) = eventually(lambda: descendants(hook_pid))
            eventually(lambda: not alive(hook_pid) and not alive(apart), message="what hooks the stop is gone")
            os.kill(supervisor, signal.SIGCONT)
        holder.until("has neither renewed a lock nor ended what runs under it")


def test_when_the_supervisor_is_killed_the_job_has_ended_before_another_has_it(
    etcd: EtcdServer, tmp_path: Path
) -> None:
    """The guard gives everything else the time that the whole stop may take."""
    deaf = "trap '' TERM; while :; do sleep 0.1; done"
    text = (TEXT % (etcd.endpoints[0], TTL_S)).replace("exec sleep 999", f'setsid sh -c \\"{deaf}\\" & {deaf}')
    text = text.replace('exec: "sleep 1000"', f'killTimeout: "600s", exec: ["sh", "-c", "{deaf}"]')
    pair = Pair(etcd, tmp_path, text)
    try:
        holder, other = pair.split()
        pid, also, guard = holder.job("app")["pid"], holder.job("also")["pid"], holder.guard
        eventually(lambda: len(descendants(pid)) >= 3, message="its children are there")
        under_lock = {pid, *descendants(pid)}
        os.kill(holder.supervisor, signal.SIGKILL)
        left_then: list[list[int]] = []

        def taken_over() -> bool:
            runs = bool(other.job("app")["state"] == "running")
            if runs:
                left_then.append([one for one in under_lock if alive(one)])
            return runs

        eventually(taken_over)
        assert left_then == [[]]
        assert alive(also)
        os.kill(guard, signal.SIGTERM)
        assert holder.wait() == 70
        assert not alive(also)
        os.kill(other.job("also")["pid"], signal.SIGKILL)
    finally:
        pair.close()


def test_a_catalog_that_is_away_ends_the_job_in_time(pair: Pair, etcd: EtcdServer) -> None:
    holder, _ = pair.split()
    pid = holder.job("app")["pid"]
    etcd.pause()
    paused_at = time.monotonic()
    try:
        eventually(lambda: holder.job("app")["state"] == "standby")
        assert not alive(pid)
        assert time.monotonic() - paused_at < TTL_S + 1
        holder.until("the lock primary is lost")
    finally:
        etcd.resume()
    pair.split()


def test_a_lock_that_is_configured_no_more_is_given_back_when_the_job_has_ended(
    etcd: EtcdServer, tmp_path: Path
) -> None:
    text = (TEXT % (etcd.endpoints[0], 13)).replace("stopTimeout: 1", "stopTimeout: 3")
    text = text.replace("exec sleep 999", "trap '' TERM; while :; do sleep 0.1; done")
    pair = Pair(etcd, tmp_path, text)
    try:
        holder, other = pair.split()
        pid = holder.job("app")["pid"]
        without = text.replace('locks: [{name: "primary", ttl: "13s"}],', "").replace('lock: "primary", ', "")
        holder.configure(without.replace('{name: "told"', '{name: "told", restarts: 0'))
        reloading = ThreadPoolExecutor(1).submit(holder.client, "reload")
        alive_then: list[bool] = []

        def taken_over() -> bool:
            runs = bool(other.job("app")["state"] == "running")
            if runs:
                alive_then.append(alive(pid))
            return runs

        eventually(taken_over)
        assert alive_then == [False]
        assert reloading.result().returncode == 0
        assert holder.job("app")["state"] == "running"  # without a lock it just runs
    finally:
        pair.close()


def test_a_lock_moves_to_another_catalog_as_the_page_says(etcd: EtcdServer, tmp_path: Path) -> None:
    """With the job stopped everywhere but in one place, no two have it, and then all see one another again."""
    old = f'old: {{backend: "etcd", endpoints: ["{etcd.endpoints[0]}"]}}'
    both = f'discovery: {{{old}, new: {{backend: "embedded", path: "{tmp_path}/catalog"}}}}'
    text = TEXT % (etcd.endpoints[0], TTL_S)
    text = text.replace(text[text.index("discovery") : text.index(",\n  control")], both)
    before, after = (text.replace('ttl: "7s"', f'ttl: "7s", catalog: "{name}"') for name in ("old", "new"))
    pair = Pair(etcd, tmp_path, before)
    try:
        holder, other = pair.split()
        pid = holder.job("app")["pid"]
        assert other.client("stop", "app").returncode == 0
        for one in (holder, other):
            one.configure(after)
            assert one.client("reload").returncode == 0
        eventually(lambda: holder.job("app")["state"] == "running" and holder.job("app")["pid"] != pid)
        assert not alive(pid)
        holder.until(f"token={lock_of(holder)['token']}")
        free = run("lock", "--discovery", f"etcd:endpoints={etcd.endpoints[0]}", "-n", "primary", "--", "true")
        assert free.returncode == 0
        assert other.client("start", "app").returncode == 0
        eventually(lambda: other.job("app")["state"] == "standby" and lock_of(other)["holder"])
        assert lock_of(other)["holder"] == lock_of(holder)["holder"]
        assert holder.job("app")["state"] == "running"
    finally:
        pair.close()


def test_a_stop_waits_for_registrations_and_locks_together(etcd: EtcdServer, tmp_path: Path) -> None:
    service = 'port: 80, interfaces: "static:127.0.0.1", health: {exec: "true", interval: 1, ttl: 30}, '
    text = (TEXT % (etcd.endpoints[0], 30)).replace('{name: "app", ', '{name: "app", ' + service)
    with Corepilot(text, tmp_path) as corepilot:
        corepilot.until_ready()
        eventually(lambda: [one["in_sync"] for one in corepilot.status()["services"]] == [True])
        eventually(lambda: lock_of(corepilot)["held"])
        etcd.pause()
        try:
            assert corepilot.stop() == 0
        finally:
            etcd.resume()
        corepilot.until("left without giving the lock primary back")
        assert "did not end by the deadline" not in corepilot.output


def test_a_lock_that_could_be_outlasted_is_refused(etcd: EtcdServer, tmp_path: Path) -> None:
    file = tmp_path / "short.json5"
    text = TEXT % (etcd.endpoints[0], 5)
    file.write_text(text.replace("%(dir)s", str(tmp_path)).replace('lock: "primary"', 'lock: "primari"', 1))
    answer = run("check", str(file))
    assert all(part in answer.stdout for part in ('there is no lock "primari"', 'did you mean "primary"?'))
    file.write_text(text.replace("%(dir)s", str(tmp_path)))
    assert "which is less than 6 s: three times the sum of that and one second" in run("check", str(file)).stdout


def run(*words: str, **more: Any) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-I", "-m", "corepilot", *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, **more)


@pytest.fixture
def locked(etcd: EtcdServer, tmp_path: Path) -> list[str]:
    file = tmp_path / "lock.json5"
    file.write_text(f'{{discovery: {{backend: "etcd", endpoints: ["{etcd.endpoints[0]}"]}}}}')
    return ["lock", "-c", str(file)]


def test_a_command_under_a_lock(locked: list[str], tmp_path: Path) -> None:
    answer = run(*locked, "job", "--", "sh", "-c", "echo token=$COREPILOT_LOCK_TOKEN; cat; exit 3", input="stdin\n")
    assert answer.returncode == 3
    assert answer.stdout.startswith("token=")
    assert answer.stdout.endswith("stdin\n")
    mark = tmp_path / "begun"
    script = f"touch {mark}; exec sleep 1000"
    with subprocess.Popen(
        [sys.executable, "-I", "-m", "corepilot", *locked, "job", "--", "sh", "-c", script]
    ) as holder:
        eventually(mark.exists)
        assert run(*locked, "-n", "job", "--", "true").returncode == 75
        assert run(*locked, "--timeout", "200ms", "job", "--", "true").returncode == 75
        holder.send_signal(signal.SIGTERM)
        assert holder.wait(30) == 128 + signal.SIGTERM
    assert run(*locked, "job", "--", "true").returncode == 0
    assert run(*locked, "job", "--", "/no/such").returncode == 127


def test_a_command_whose_lock_is_lost_ends(locked: list[str], tmp_path: Path, etcd: EtcdServer) -> None:
    file = Path(locked[-1])
    file.write_text(file.read_text()[:-1] + ', locks: [{name: "job", ttl: "18s"}]}')
    mark = tmp_path / "pid"
    script = f"echo $$ > {mark}.new; mv {mark}.new {mark}; sleep 1000 & exec sleep 1000"
    command = [sys.executable, "-I", "-m", "corepilot", *locked, "job", "--", "sh", "-c", script]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as holder:
        eventually(mark.exists)
        etcd.wipe()
        _, said = holder.communicate(timeout=60)
        assert holder.returncode == 75
    assert "the lock job is lost" in said
    assert not alive(int(mark.read_text()))


def test_the_lock_is_not_free_before_all_that_the_command_started_has_ended(locked: list[str], tmp_path: Path) -> None:
    """A child in a session of its own, which takes its time to end, and another one that does not end by itself."""
    slow, deaf = tmp_path / "slow", tmp_path / "deaf"
    slow_child = f"trap 'sleep 0.7 && touch {slow}; exit' TERM; touch {slow}.up; while :; do sleep 0.05; done"
    deaf_child = f"trap : TERM; echo $$ > {deaf}; while :; do sleep 0.05; done"
    up = f"until [ -e {slow}.up ] && [ -s {deaf} ]; do sleep 0.05; done"
    script = f"setsid sh -c \"{slow_child}\" & setsid sh -c '{deaf_child}' & {up}"
    file = Path(locked[-1])
    file.write_text(file.read_text()[:-1] + ", stopTimeout: 2}")
    first = run(*locked, "job", "--", "sh", "-c", script)
    assert (first.returncode, slow.exists()) == (0, True)
    assert not alive(int(deaf.read_text()))


def test_a_command_ends_and_the_lock_is_free_when_the_guard_is_killed(locked: list[str], tmp_path: Path) -> None:
    """Whoever called it believes that it has ended."""
    file = Path(locked[-1])
    file.write_text(file.read_text()[:-1] + ", stopTimeout: 2}")
    mark, asked = tmp_path / "pid", tmp_path / "asked"
    script = f"trap ': > {asked}' TERM; echo $$ > {mark}.new; mv {mark}.new {mark}; while :; do sleep 0.1; done"
    command = [sys.executable, "-I", "-m", "corepilot", *locked, "job", "--", "sh", "-c", script]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as holder:
        eventually(mark.exists)
        pid = int(mark.read_text())
        holder.kill()
        assert run(*locked, "--timeout", "25s", "job", "--", "sh", "-c", f"! kill -0 {pid}").returncode == 0
        assert asked.exists()
        _, said = holder.communicate(timeout=60)
    assert "the guard has died: the command is ended within 2 s" in said


@pytest.mark.parametrize("stopped", ["the holder", "its guard"])
def test_a_command_whose_holder_or_guard_is_stopped_never_runs_beside_another(
    locked: list[str], tmp_path: Path, stopped: str
) -> None:
    """The guard keeps the promise of a holder that hangs; a holder whose guard hangs goes on to renew the lock."""
    file = Path(locked[-1])
    file.write_text(file.read_text()[:-1] + ', stopTimeout: 1, locks: [{name: "job", ttl: "6s"}]}')
    mark = tmp_path / "pid"
    script = f"echo $$ > {mark}.new; mv {mark}.new {mark}; exec sleep 1000"
    command = [sys.executable, "-I", "-m", "corepilot", *locked, "job", "--", "sh", "-c", script]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as guard:
        eventually(mark.exists)
        pid = int(mark.read_text())
        holder = next(one for one in children_of(guard.pid) if pid in descendants(one))
        to_stop = holder if stopped == "the holder" else guard.pid
        dead = f"test $(cut -d' ' -f3 /proc/{pid}/stat) = Z"  # a holder that is stopped does not reap it
        os.kill(to_stop, signal.SIGSTOP)
        try:
            second = run(*locked, "--timeout", "12s", "job", "--", "sh", "-c", dead)
        finally:
            os.kill(to_stop, signal.SIGCONT)
        if stopped == "the holder":
            assert (second.returncode, alive(pid)) == (0, False)
        else:
            assert (second.returncode, alive(pid)) == (75, True)
            guard.send_signal(signal.SIGTERM)
        _, said = guard.communicate(timeout=60)
    if stopped == "the holder":
        assert "has neither renewed a lock nor ended what runs under it in time: killed 1 process group" in said
        assert guard.returncode == 75
    else:
        assert (said, guard.returncode) == ("", 128 + signal.SIGTERM)


def test_how_not_to_call_it(locked: list[str], tmp_path: Path) -> None:
    assert run(*locked, "job").returncode == 2
    assert run(*locked, "--timeout", "soon", "job", "--", "true").returncode == 2
    file = tmp_path / "none.json5"
    file.write_text("{discovery: false}")
    answer = run("lock", "-c", str(file), "job", "--", "true")
    assert (answer.returncode, "no catalog keeps locks" in answer.stderr) == (1, True)


@pytest.mark.parametrize("name", ["a b", "a/b", "..", ""])
def test_a_name_that_no_lock_can_have_is_refused(locked: list[str], name: str) -> None:
    answer = run(*locked, name, "--", "true")
    assert (answer.returncode, answer.stderr.count("\n")) == (2, 1)
    assert f"cannot use the lock {name!r}: write letters, digits, -, _ and ." in answer.stderr


def test_a_catalog_that_refuses_ends_the_command(tmp_path: Path) -> None:
    folder = tmp_path / "catalog"
    folder.write_text("a file where a directory should be")
    answer = run("lock", "--discovery", f"embedded:path={folder}", "job", "--", "true", cwd=tmp_path)
    assert (answer.returncode, answer.stderr.count("\n")) == (1, 1), answer.stderr
    assert str(folder) in answer.stderr
    assert "trying again" not in answer.stderr


def test_the_time_to_end_a_command_is_that_of_the_configuration(locked: list[str], tmp_path: Path) -> None:
    file = Path(locked[-1])
    more = ', stopTimeout: %s, locks: [{name: "night.ly", ttl: "6s"}]}'
    text = file.read_text()[:-1]
    file.write_text(text + more % 1)
    assert run("check", str(file)).returncode == 0
    assert run(*locked, "night.ly", "--", "true").returncode == 0
    file.write_text(text + more % 2)
    answer = run(*locked, "night.ly", "--", "true")
    assert answer.returncode == 1
    assert "with a stopTimeout of 2 s it needs 9 s" in answer.stderr
    file.write_text(text + ", stopTimeout: 60}")
    assert run(*locked, "other", "--", "true").returncode == 0
