"""How commands are started, watched and ended (ContainerPilot contract, sections 4.2, 4.4 and 4.12)."""

import os
import signal
import sys
from functools import partial
from pathlib import Path

from eventually import eventually
from recording import Record, config, shell
from running import Corepilot, alive

SHOW = f'"{sys.executable}", "-I", "-S", "-c", "import sys; print(\'ARGV\', sys.argv[1:])"'


def once(source: str, code: str) -> str:
    return f'when: {{source: "{source}", once: "{code}"}}'


def lines_of(corepilot: Corepilot, job: str) -> list[str]:
    return [line.split(" ", 3)[3] for line in corepilot.lines if line.split(" ", 2)[1] == job]


def test_strings_are_split_at_single_spaces_and_nothing_else(tmp_path: Path) -> None:
    program = tmp_path / "show"
    program.write_text(f"#!{sys.executable} -IS\nimport sys; print(sys.argv[1:])\n")
    program.chmod(0o755)
    path = str(program)
    jobs = rf"""
        {{name: "plain", exec: "{path} a bb  c"}},
        {{name: "trimmed", exec: "  {path} a  "}},
        {{name: "tab", exec: "{path} a\tb"}},
        {{name: "literal", exec: "{path} $HOME ~ | > x; *"}},
        {{name: "array", exec: ["{path}", "a b", "", "$HOME"]}},
        {{name: "formatted", exec: ["{path}", 1000000, 1, 1.5, true, null, ["x", "y"]]}},
        {{name: "on-path", exec: "show a"}},
    """
    variables = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    with Corepilot(config(jobs), tmp_path, environment=variables) as corepilot:
        assert corepilot.wait() == 0
        for job, expected in {
            "plain": ["a", "bb", "", "c"],
            "trimmed": ["a"],
            "tab": ["a\tb"],
            "literal": ["$HOME", "~", "|", ">", "x;", "*"],
            "array": ["a b", "", "$HOME"],
            "formatted": ["1e+06", "1", "1.5", "true", "<nil>", "[x y]"],
            "on-path": ["a"],
        }.items():
            assert lines_of(corepilot, job) == [str(expected)], job


def test_what_a_child_inherits(tmp_path: Path) -> None:
    script = (
        "echo stdin $(readlink /proc/self/fd/0); echo cwd $(pwd); echo uid $(id -u); "
        "echo pid $$ group $(cut -d' ' -f5 /proc/$$/stat) session $(cut -d' ' -f6 /proc/$$/stat); "
        "ls /proc/self/fd | tr '\\n' ' '"
    )
    jobs = f'{{name: "a", exec: {shell(script)}}}, {{name: "b", exec: "sleep 1000"}}'
    with Corepilot(config(jobs), tmp_path) as corepilot:
        corepilot.until("cwd")
        eventually(lambda: len(lines_of(corepilot, "a")) == 5)
        found = lines_of(corepilot, "a")
        assert found[0] == "stdin /dev/null"
        assert found[1] == f"cwd {tmp_path}"
        assert found[2] == f"uid {os.getuid()}"
        words = found[3].split()
        assert words[1] == words[3]
        assert int(words[5]) == os.getsid(corepilot.supervisor)
        assert found[4].split() == ["0", "1", "2", "3"]  # 3 is the directory that ls itself reads


def test_a_timeout_kills_the_whole_group_and_counts_as_failed(tmp_path: Path) -> None:
    script = "trap '' TERM; sleep 1000 & echo child $!; echo up; sleep 1000"
    jobs = f"""{{name: "slow", exec: {shell(script)}, timeout: "300ms"}},
        {{name: "handler", exec: {shell("note handled")}, {once("slow", "exitFailed")}}}"""
    with Corepilot(config(jobs), tmp_path) as corepilot:
        assert corepilot.wait() == 0
        child = int(lines_of(corepilot, "slow")[0].split()[1])
        eventually(lambda: not alive(child))
        assert Record(corepilot).words == ["handled"]
        assert "timeout after" in corepilot.output


def test_background_children_end_with_the_main_process_and_those_in_a_session_of_their_own_do_not(
    tmp_path: Path,
) -> None:
    stay = "trap 'note got-term; exit' TERM; note up; while :; do sleep 0.02; done"
    (tmp_path / "stay").write_text('note() { echo "$* $(date +%s.%N)" >> record; }\n' + stay)
    script = (
        "sh ./stay & setsid sleep 1000 & echo setsid $!; while ! grep -q up record 2>/dev/null; do sleep 0.02; done"
    )
    jobs = f'{{name: "a", exec: {shell(script)}}}, {{name: "b", exec: "sleep 1000"}}'
    with Corepilot(config(jobs), tmp_path) as corepilot:
        record = Record(corepilot)
        record.until("got-term")
        survivor = int(lines_of(corepilot, "a")[0].split()[1])
        assert corepilot.job("a")["state"] == "complete"
        assert alive(survivor)
        assert corepilot.stop() == 0
        eventually(lambda: not alive(survivor))


def test_exit_is_seen_at_once_although_others_hold_the_output(tmp_path: Path) -> None:
    jobs = f"""{{name: "daemon", exec: {shell("setsid sleep 1000 & exit 0")}}},
        {{name: "raw", exec: {shell("setsid sleep 1000 & exit 0")}, logging: {{raw: true}}}},
        {{name: "next", exec: {shell("note next")}, {once("daemon", "exitSuccess")}}},
        {{name: "next-raw", exec: {shell("note next-raw")}, {once("raw", "exitSuccess")}}}"""
    with Corepilot(config(jobs), tmp_path) as corepilot:
        assert corepilot.wait(20) == 0
        assert sorted(Record(corepilot).words) == ["next", "next-raw"]


def test_a_daemon_that_outlives_its_job_goes_on_writing(tmp_path: Path) -> None:
    daemon = "n=0; while :; do n=$((n+1)); echo line $n; sleep 0.2; done"
    script = f"setsid sh -c '{daemon}' & printf unfinished"
    jobs = f'{{name: "a", exec: {shell(script)}}}, {{name: "b", exec: "sleep 1000"}}'
    with Corepilot(config(jobs), tmp_path) as corepilot:
        corepilot.until("line 10")
        assert corepilot.job("a")["state"] == "complete"
        assert any(line.endswith("unfinished") or "unfinishedline" in line for line in lines_of(corepilot, "a"))
        assert corepilot.stop() == 0


# ------------------------------------------------------------------------------------------------------- environment
def test_the_environment_of_children(tmp_path: Path) -> None:
    ports = 'port: 80, interfaces: "static:192.0.2.{}", health: {{exec: {}, interval: 1, ttl: 5}}'
    jobs = f"""
        {{name: "my-app", exec: ["sh", "-c", "env | sed s/^/self:/; exec sleep 1000"],
          {ports.format(7, '["sh", "-c", "env | sed s/^/check:/"]')}}},
        {{name: "other.v2", exec: "sleep 1000"}},
        {{name: "ended", exec: "true"}},
        {{name: "show", exec: ["sh", "-c", "env; echo END"], when: {{source: "SIGHUP"}}}},
    """
    more = 'telemetry: {port: 0, interfaces: ["static:127.0.0.1"]},'
    given = {"ODD": "a=b=c", "EMPTY": "", "PYTHONPATH": "/nowhere", "LD_LIBRARY_PATH": "/none"}
    with Corepilot(config(jobs, more), tmp_path, environment=given) as corepilot:
        corepilot.until_ready()
        corepilot.until("check:CONTAINERPILOT_MY_APP_PID=")
        corepilot.signal(signal.SIGHUP)
        corepilot.until(" END")
        seen = dict(line.partition("=")[::2] for line in lines_of(corepilot, "show") if "=" in line)
        assert seen["CONTAINERPILOT_PID"] == str(corepilot.supervisor)
        assert seen["CONTAINERPILOT_MY_APP_IP"] == "192.0.2.7"
        assert seen["CONTAINERPILOT_MY_APP_PID"] == str(corepilot.job("my-app")["pid"])
        assert seen["CONTAINERPILOT_OTHER_PID"] == str(corepilot.job("other.v2")["pid"])
        assert "CONTAINERPILOT_ENDED_PID" not in seen
        assert "CONTAINERPILOT_SHOW_PID" not in seen
        assert {name: seen[name] for name in given} == given
        assert "self:CONTAINERPILOT_MY_APP_IP=192.0.2.7" in corepilot.output
        assert "self:CONTAINERPILOT_MY_APP_PID" not in corepilot.output
        # /v3/environ: new, changed, emptied; names that are impossible are skipped; it survives a reload.
        corepilot.client("env", "ADDED=x=y", "ODD=new", "PYTHONPATH=")
        for count in (2, 3):
            corepilot.signal(signal.SIGHUP)
            corepilot.until(" END", count)
            for line in ("ADDED=x=y", "ODD=new", "PYTHONPATH="):
                assert line in lines_of(corepilot, "show")[-60:], line
            corepilot.client("reload")
            corepilot.until_ready()


# ------------------------------------------------------------------------------------------------------------ health
def test_checks_decide_the_health_and_never_restart_the_job(tmp_path: Path) -> None:
    jobs = f"""
        {{name: "app", exec: {shell("note started; sleep 1000")},
          health: {{exec: ["test", "-e", "%(dir)s/healthy"], interval: 1, ttl: 5}}}},
        {{name: "silent", exec: "sleep 1000", health: {{interval: 1, ttl: 5}}}},
        {{name: "up", exec: {shell("note up")}, when: {{source: "app", each: "healthy"}}}},
        {{name: "down", exec: {shell("note down")}, when: {{source: "app", each: "unhealthy"}}}},
        {{name: "never", exec: {shell("note wrong")}, when: {{source: "silent", each: "healthy"}}}},
        {{name: "by-check", exec: {shell("note by-check")}, {once("check.app", "exitSuccess")}}},
    """
    with Corepilot(config(jobs), tmp_path) as corepilot:
        record = Record(corepilot)
        record.until("down", 2)
        assert corepilot.job("app")["health"] == "unhealthy"
        (tmp_path / "healthy").touch()
        record.until("up", 2)
        assert record.count("by-check") == 1
        assert corepilot.job("app")["health"] == "healthy"
        assert corepilot.job("silent")["health"] == "unknown"
        (tmp_path / "healthy").unlink()
        down = record.count("down")
        record.until("down", down + 1)
        assert record.count("started") == 1
        assert record.count("wrong") == 0
        # The first result comes one interval after the start.
        assert record.times("down")[0] - record.times("started")[0] > 0.8


def test_a_check_that_hangs_is_killed_at_its_timeout_or_its_interval(tmp_path: Path) -> None:
    jobs = """
        {name: "default", exec: "sleep 1000", health: {exec: "sleep 1000", interval: 1, ttl: 5}},
        {name: "short", exec: "sleep 1000", health: {exec: "sleep 1000", interval: 1, ttl: 5, timeout: "50ms"}},
    """
    with Corepilot(config(jobs), tmp_path) as corepilot:
        corepilot.until_ready()
        for name in ("default", "short"):
            eventually(partial(_is_unhealthy, corepilot, name), message=name)
        assert "check.short: killing the check: timeout after" in corepilot.output


def _is_unhealthy(corepilot: Corepilot, name: str) -> bool:
    return bool(corepilot.job(name)["health"] == "unhealthy")
