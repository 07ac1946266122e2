"""What a job is started with, in real processes: each setting, what comes of it, and what is said when it fails."""

import os
import pwd
import re
from pathlib import Path

import pytest
from eventually import eventually
from recording import config
from running import Corepilot, alive, descriptors, descriptors_at_rest

WAIT = "while :; do sleep 0.05; done"

NOBODY = pwd.getpwnam("nobody")


def texts(corepilot: Corepilot, job: str = "a") -> list[str]:
    """What a job has written."""
    found = [re.match(rf"\S+ {job} \d+ (.*)", line) for line in corepilot.lines]
    return [match[1] for match in found if match]


def output_of(settings: str, script: str, directory: Path, more: str = "", **environment: str) -> list[str]:
    """What a shell script writes as a job with these settings."""
    job = f'{{name: "a", exec: ["sh", "-c", {script!r}], {settings}}}'
    with Corepilot(config(job, more), directory, environment=environment) as corepilot:
        assert corepilot.wait() == 0, corepilot.output
        return texts(corepilot)


# ------------------------------------------------------------------------------------------------------- environment
def test_variables_of_all_jobs_of_files_and_of_the_job_in_this_order(tmp_path: Path) -> None:
    (tmp_path / "app.env").write_text("# comment\nB=file\nC='file one'\nexport D=\"file\"\r\nE=a=b # c\n")
    found = output_of(
        'env: {C: "job", GONE: null, N: 5}, envFile: ["%(dir)s/app.env", "-%(dir)s/missing.env"]',
        "echo $A,$B,$C,$D,$E,${GONE-removed},${ALSO-removed},$KEPT,$N",
        tmp_path,
        more='env: {A: "top", B: "top", ALSO: null},',
        GONE="x", ALSO="x", KEPT="x", A="given",
    )  # fmt: skip
    assert found == ["top,file,job,file,a=b # c,removed,removed,x,5"]


def test_a_file_is_read_at_each_start(tmp_path: Path) -> None:
    file = tmp_path / "app.env"
    file.write_text("A=1\n")
    job = '{name: "a", exec: ["sh", "-c", "echo A is $A; exec sleep 1000"], envFile: "%(dir)s/app.env"}'
    with Corepilot(config(job), tmp_path) as corepilot:
        corepilot.until("A is 1")
        file.write_text("A=2\n")
        assert corepilot.client("restart", "a").returncode == 0
        corepilot.until("A is 2")
        file.write_text("what is this\n")
        assert corepilot.client("restart", "a").returncode == 3
        corepilot.until(f"cannot start 'sh': envFile \"{file}\", line 1: there is no '='")


def test_the_environment_of_a_job_never_reaches_the_python_that_sets_it_up(tmp_path: Path) -> None:
    """A library of the application's, or a variable for its Python, would end up in ours."""
    settings = 'env: {LD_PRELOAD: "/no/such.so", PYTHONHOME: "/no/home", LC_ALL: "C"}, cwd: "/"'
    found = output_of(settings, "echo $PYTHONHOME; env | grep -c LC_CTYPE; true", tmp_path)
    assert [line for line in found if "ERROR: ld.so" not in line] == ["/no/home", "0"]


# -------------------------------------------------------------------------------------------------- identity and place
def test_user_group_groups_directory_umask_and_priorities(tmp_path: Path) -> None:
    script = (
        "id -u; id -g; id -G; pwd; umask; nice; cat /proc/self/oom_score_adj; ulimit -n; ulimit -Hn; ulimit -c;"
        "grep NoNewPrivs /proc/self/status"
    )
    settings = (
        'user: "4711", group: "4712", groups: ["adm", 1234], cwd: "/usr", umask: "027", nice: 3, oomScoreAdj: 321, '
        'limits: {nofile: "99:100", core: 0}'
    )
    found = output_of(settings, script, tmp_path)
    assert found[:2] == ["4711", "4712"]
    assert set(found[2].split()) == {"4712", "4", "1234"}
    assert found[3:10] == ["/usr", "0027", "3", "321", "99", "100", "0"]


def test_a_user_has_its_own_home_and_the_rights_of_its_group(tmp_path: Path) -> None:
    script = 'echo "$HOME $USER $LOGNAME $SHELL"; id -un; id -G; env | grep ^CapEff; grep CapEff /proc/self/status'
    found = output_of('user: "nobody"', script, tmp_path, HOME="/root", USER="root")
    assert found[0] == f"{NOBODY.pw_dir} nobody nobody {NOBODY.pw_shell}"
    assert found[1:3] == ["nobody", " ".join(map(str, os.getgrouplist("nobody", NOBODY.pw_gid)))]
    assert found[3].split() == ["CapEff:", "0" * 16]


def test_a_number_without_a_name_is_a_user_without_a_home_and_has_no_group_of_ours(tmp_path: Path) -> None:
    script = 'echo "$HOME ${USER-none} ${SHELL-none}"; id -u; id -G'
    assert output_of('user: "54321"', script, tmp_path, USER="root", SHELL="x") == ["/ none none", "54321", "54321"]


def test_env_wins_over_what_the_user_has(tmp_path: Path) -> None:
    assert output_of('user: "nobody:adm", env: {HOME: "/srv"}', "echo $HOME; id -gn", tmp_path) == ["/srv", "adm"]


def test_another_user_may_open_its_own_output(tmp_path: Path) -> None:
    assert output_of('user: "nobody"', "echo out > /dev/stdout; echo err > /dev/stderr", tmp_path) == ["out", "err"]


def test_a_program_is_looked_for_as_the_user_and_from_its_directory(tmp_path: Path) -> None:
    (tmp_path / "tool").write_text("#!/bin/sh\necho tool in $PWD as $(id -un)\n")
    (tmp_path / "tool").chmod(0o755)
    for folder in (tmp_path, *tmp_path.parents[:3]):
        folder.chmod(0o755)
    job = '{name: "a", exec: "./tool", user: "nobody", cwd: "%(dir)s"}'
    with Corepilot(config(job), tmp_path) as corepilot:
        assert corepilot.wait() == 0
        assert texts(corepilot) == [f"tool in {tmp_path} as nobody"]


def test_a_directory_may_be_relative_to_that_of_corepilot(tmp_path: Path) -> None:
    (tmp_path / "web").mkdir()
    assert output_of('cwd: "web"', "pwd", tmp_path) == [str(tmp_path / "web")]


def test_checks_have_the_same_settings(tmp_path: Path) -> None:
    check = 'health: {exec: ["sh", "-c", "echo check $A $PWD $(id -u)"], interval: 1, ttl: 5}'
    job = f'{{name: "a", exec: "sleep 1000", env: {{A: "x"}}, cwd: "/usr", user: "nobody", {check}}}'
    with Corepilot(config(job), tmp_path) as corepilot:
        corepilot.until(f"check x /usr {NOBODY.pw_uid}")
        eventually(lambda: corepilot.job("a")["health"] == "healthy")


def test_a_shell_command_is_one_text(tmp_path: Path) -> None:
    job = """{name: "a", exec: "printf '%s.' one 'two three' | tr a-z A-Z; echo", shell: true}"""
    with Corepilot(config(job), tmp_path) as corepilot:
        assert corepilot.wait() == 0
        assert texts(corepilot) == ["ONE.TWO THREE."]


def test_the_pid_is_the_jobs_and_signals_and_descriptors_are_as_ever(tmp_path: Path) -> None:
    script = "echo $$; ls /proc/$$/fd; grep -E 'Sig(Blk|Ign)' /proc/self/status; exec sleep 1000"
    job = f'{{name: "a", exec: ["sh", "-c", "{script}"], cwd: "/"}}'
    with Corepilot(config(job), tmp_path) as corepilot:
        corepilot.until("SigIgn")
        pid, *opened, blocked, ignored = texts(corepilot)
        assert int(pid) == corepilot.job("a")["pid"] == os.getpgid(int(pid))
        assert opened == ["0", "1", "2"]
        # The C library keeps signals 32 and 33 to itself and leaves them ignored in what it spawns.
        assert [int(mask.split()[-1], 16) & ~0x180000000 for mask in (blocked, ignored)] == [0, 0]
        before = descriptors_at_rest(corepilot.supervisor)
        for _ in range(3):
            assert corepilot.client("restart", "a").returncode == 0
        eventually(lambda: descriptors(corepilot.supervisor) == before, message="no descriptor is left of a start")
        assert corepilot.stop() == 0


# ----------------------------------------------------------------------------------------------------------- failures
@pytest.mark.parametrize(
    ("settings", "status", "line"),
    [
        ('cwd: "/no/dir"', 126, 'cwd "/no/dir": No such file or directory'),
        ('cwd: "/etc/passwd"', 126, 'cwd "/etc/passwd": Not a directory'),
        ('user: "no-such-user"', 126, 'user "no-such-user": there is no such user in /etc/passwd; write a number'),
        ('groups: ["no-such"]', 126, 'groups "no-such": there is no such group in /etc/group; write a number'),
        ('envFile: "/no/file"', 126, 'envFile "/no/file": No such file or directory'),
        ('envFile: "/etc"', 126, 'envFile "/etc": it is not a regular file'),
        ('envFile: "/dev/zero"', 126, 'envFile "/dev/zero": it is not a regular file'),
        ('exec: "no-such-program", cwd: "/"', 127, "not found in PATH"),
        ('exec: "/etc/passwd", cwd: "/"', 126, "/etc/passwd is not executable for this user"),
        ('exec: "./script", cwd: "%(dir)s"', 127, "No such file or directory (./script or its interpreter)"),
        ('exec: "cat", cwd: "/", env: {A: "%(large)s"}', 126, "Argument list too long"),
    ],
)  # fmt: skip
def test_what_fails_is_one_line_and_the_status_says_whose_fault_it_is(
    tmp_path: Path, settings: str, status: int, line: str
) -> None:
    (tmp_path / "script").write_text("#!/no/interpreter\n")
    (tmp_path / "script").chmod(0o755)
    exec_ = "" if "exec:" in settings else 'exec: "true", '
    text = f'{{name: "a", {exec_}{settings.replace("%(large)s", "x" * 200_000)}}}'
    with Corepilot(config(text), tmp_path) as corepilot:
        assert corepilot.wait() == status, corepilot.output
        (told,) = [one for one in corepilot.lines if "cannot start" in one]
        assert line in told
        assert told.endswith(f"(exit status {status})")
        assert "Traceback" not in corepilot.output


def test_a_start_that_fails_is_tried_again_as_often_as_the_job_may_restart(tmp_path: Path) -> None:
    job = '{name: "a", exec: ["sh", "-c", "echo up; exec sleep 1000"], cwd: "%(dir)s/later", restarts: "unlimited"}'
    with Corepilot(config(job), tmp_path) as corepilot:
        corepilot.until("cannot start", count=4)
        (tmp_path / "later").mkdir()
        corepilot.until(" up")
        assert corepilot.stop() == 0


def test_a_stopped_job_is_no_failure_though_its_start_was_not_over(tmp_path: Path) -> None:
    job = '{name: "a", exec: "sleep 1000", cwd: "/", restarts: "unlimited"}'
    with Corepilot(config(job), tmp_path) as corepilot:
        corepilot.until_ready()
        for _ in range(5):
            assert corepilot.client("restart", "a", "--no-wait").returncode == 0
        eventually(lambda: corepilot.job("a")["state"] == "running")
        assert "cannot start" not in corepilot.output
        assert corepilot.stop() == 0


# --------------------------------------------------------------------------------------------------------------- stops
def test_the_stop_signal_is_the_jobs_own(tmp_path: Path) -> None:
    script = f"trap 'echo got TERM; exit' TERM; trap 'echo got QUIT; exit' QUIT; echo up; {WAIT}"
    job = f'{{name: "a", exec: ["sh", "-c", "{script}"], stopSignal: "QUIT"}}'
    with Corepilot(config(job), tmp_path) as corepilot:
        corepilot.until("up")
        assert corepilot.stop() == 0
        assert "got QUIT" in corepilot.output
        assert "got TERM" not in corepilot.output


@pytest.mark.parametrize(("mode", "told"), [("group", "TERM"), ("process", "USR1")])
def test_the_stop_signal_goes_to_the_group_or_to_the_main_process(tmp_path: Path, mode: str, told: str) -> None:
    """The main process waits for its child, and tells it what to do: with "process" nobody else does."""
    child = f"trap 'echo child: TERM; exit' TERM; trap 'echo child: USR1; exit' USR1; echo up; {WAIT}"
    (tmp_path / "child").write_text(child)
    main = f"sh %(dir)s/child & trap 'sleep 0.3; kill -USR1 $!; wait; echo main: bye; exit' TERM; {WAIT}"
    job = f'{{name: "a", exec: ["sh", "-c", "{main}"], stopMode: "{mode}"}}'
    with Corepilot(config(job), tmp_path) as corepilot:
        corepilot.until("up")
        assert corepilot.stop() == 0
        assert [one for one in texts(corepilot) if one.startswith("child")] == [f"child: {told}"]


def test_what_the_main_process_leaves_is_told_to_end_when_only_the_process_was(tmp_path: Path) -> None:
    (tmp_path / "child").write_text(f"trap 'echo child: TERM; exit' TERM; echo up; {WAIT}")
    main = f"sh %(dir)s/child & trap 'echo main: bye; exit' TERM; {WAIT}"
    job = f'{{name: "a", exec: ["sh", "-c", "{main}"], stopMode: "process"}}'
    with Corepilot(config(job), tmp_path) as corepilot:
        corepilot.until("up")
        assert corepilot.stop() == 0
        assert [one for one in texts(corepilot) if ": " in one] == ["main: bye", "child: TERM"]
        assert "no process had to be killed" in corepilot.lines[-1]


def test_a_job_has_its_own_time_until_it_is_killed(tmp_path: Path) -> None:
    deaf = f"trap '' TERM; echo up; {WAIT}"
    jobs = f"""{{name: "short", exec: ["sh", "-c", "{deaf}"], killTimeout: "200ms"}},
        {{name: "none", exec: ["sh", "-c", "{deaf}"], killTimeout: 0}},
        {{name: "long", exec: ["sh", "-c", "trap 'sleep 2; echo done; exit' TERM; echo up; {WAIT}"],
          killTimeout: "60s"}}"""
    with Corepilot(config(jobs, "stopTimeout: 1,"), tmp_path) as corepilot:
        corepilot.until("up", count=3)
        assert corepilot.stop() == 0
        assert "done" in corepilot.output
        assert "killed: none, short" in corepilot.lines[-1]
        assert "none: killing the job: its killTimeout, or stopTimeout, gives it no time to stop" in corepilot.output
        assert "short: killing the job" in corepilot.output
        assert "0.2 s after its stop signal" in corepilot.output


def test_a_reload_that_changes_how_a_job_is_stopped_keeps_its_process(tmp_path: Path) -> None:
    script = f"trap 'echo got INT; exit' INT; echo up; {WAIT}"

    def text(more: str) -> str:
        return config(f'{{name: "a", exec: ["sh", "-c", "{script}"], {more}}}')

    with Corepilot(text(""), tmp_path) as corepilot:
        corepilot.until("up")
        before = corepilot.job("a")["pid"]
        corepilot.configure(text('stopSignal: "INT", killTimeout: "60s"'))
        assert "a: updated" in corepilot.client("reload").stdout
        assert corepilot.job("a")["pid"] == before
        corepilot.configure(text('stopSignal: "INT", killTimeout: "60s", env: {A_TOKEN: "geheimnis und mehr"}'))
        plan = corepilot.client("plan", "-c", str(corepilot.file)).stdout
        assert "A_TOKEN" in plan
        assert "geheimnis" not in plan
        assert "mehr" not in plan
        assert "a: restarted" in corepilot.client("reload").stdout
        assert "got INT" in corepilot.output
        assert not alive(before)


def test_no_secret_of_env_reaches_the_debug_log(tmp_path: Path) -> None:
    job = '{name: "a", exec: "true", env: {DB_PASSWORD: "geheimnis"}}'
    with Corepilot(config(job, 'logging: {level: "debug"}, env: {API_TOKEN: "verborgen"},'), tmp_path) as corepilot:
        assert corepilot.wait() == 0
        assert "geheimnis" not in corepilot.output
        assert "verborgen" not in corepilot.output
        assert "DB_PASSWORD" in corepilot.output


def test_a_program_behind_a_folder_that_its_user_may_not_enter_is_said_to_be_there(
    public: Path, tmp_path: Path
) -> None:
    private = public / "private"
    private.mkdir(mode=0o700)
    (private / "program").write_text("#!/bin/sh\n")
    (public / "link").symlink_to(private / "program")
    jobs = [f'{{name: "{name}", exec: "{public}/{name}", user: "nobody"}}' for name in ("link", "private/program")]
    with Corepilot(config(", ".join(jobs)), tmp_path) as corepilot:
        assert corepilot.wait() == 126
        rights = "cannot be reached by this user; look at the rights of its folders"
        assert f"{public}/link {rights}, and those of {private}/program" in corepilot.output
        assert f"{private}/program {rights} (exit status 126)" in corepilot.output
