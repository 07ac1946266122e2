"""The loader as a process of its own: forked and spawned, with limits, interrupted and ended."""

import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from eventually import eventually
from judging import PATH

from corepilot.config.loading import exchange, loader
from corepilot.config.loading.exchange import LoadRequest
from corepilot.config.loading.loader import Interrupted, LoaderChild, abandon, collect, start
from corepilot.model.configuration import Configuration
from corepilot.system.python import own_python

MARKED = {name: value for name, value in os.environ.items() if name.startswith("PYTEST_PROCESS")}
GOOD = '{ discovery: false, jobs: [ { name: "{{ .NAME }}", exec: "/bin/true" } ] }'


def request(text: str, directory: Path, **environment: str) -> LoadRequest:
    file = directory / "app.json5"
    file.write_text(text, encoding="utf-8")
    return LoadRequest((str(file),), {"PATH": PATH, **environment}, judge_machine=False, hostname="host")


def spawned(data: bytes) -> "subprocess.CompletedProcess[bytes]":
    argv = own_python("corepilot.config.loading.loader")
    return subprocess.run(
        argv, input=data, capture_output=True, timeout=30, check=False, env={"PATH": PATH, **MARKED}, cwd="/"
    )


@pytest.fixture
def misbehave(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], object]], None]:
    """Make the forked loader do something else in the place of judging."""
    from corepilot.config.loading import pipeline

    def instead(what: Callable[[], object]) -> None:
        def load(_request: LoadRequest, reached: Callable[[bytes], None]) -> object:
            for stage in (exchange.READING, exchange.RENDERING, exchange.PARSING, exchange.JUDGING):
                reached(stage)
            return what()

        monkeypatch.setattr(pipeline, "load", load)

    return instead


def gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


# ---------------------------------------------------------------------------------------------------------- forked
def test_a_forked_loader_answers_as_one_in_the_process(tmp_path: Path) -> None:
    for text in (GOOD, "{ jobs: 1 }", "{ jobs: ", "{{ nosuch }}"):
        asked = request(text, tmp_path, NAME="x\udcff\U0001f600")
        child = start(asked)
        assert collect(child, 20) == loader.load(asked)
        assert gone(child.pid)
        with pytest.raises(OSError, match="descriptor"):
            os.fstat(child.fd)


def test_only_rendering(tmp_path: Path) -> None:
    asked = request("not json: {{ .NAME }}\n", tmp_path, NAME="é")
    only = LoadRequest(asked.locations, asked.environment, render_only=True)
    result = collect(start(only), 20)
    assert (result.config, result.problems, result.rendered) == (None, [], "not json: é\n")


def test_signals_are_as_before_in_the_parent_and_fresh_in_the_child(
    tmp_path: Path, misbehave: Callable[[Callable[[], object]], None]
) -> None:
    def state() -> object:
        handled = [
            number for number in (signal.SIGTERM, signal.SIGUSR1) if signal.getsignal(number) is not signal.SIG_DFL
        ]
        raise RuntimeError(
            f"{handled} {sorted(signal.pthread_sigmask(signal.SIG_BLOCK, ()))} {os.listdir('/proc/self/fd')}"
        )

    misbehave(state)
    before = signal.signal(signal.SIGUSR1, lambda *_: None)
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR2])
    extra = os.open("/dev/null", os.O_RDONLY)
    os.set_inheritable(extra, True)  # noqa: FBT003  - the standard library takes no keyword
    read_end, write_end = os.pipe()
    saved = os.dup(2)
    try:
        os.dup2(write_end, 2)
        child = start(request(GOOD, tmp_path))
        os.dup2(saved, 2)
        result = collect(child, 20)
        assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == {*mask, signal.SIGUSR2}
    finally:
        os.dup2(saved, 2)
        signal.signal(signal.SIGUSR1, before)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        for fd in (extra, saved, write_end):
            os.close(fd)
    with os.fdopen(read_end) as stderr:
        traceback = stderr.read()
    assert result.problems[0].code == "loader"
    assert "RuntimeError" in result.problems[0].message
    # A bug keeps its traceback. No handler, no mask; open are 0, 1, 2, the answer, and the directory that was listed.
    told = traceback.rpartition("RuntimeError: ")[2]
    assert told.startswith("[] [] "), traceback
    assert told.count("'") == 2 * 5


@pytest.mark.slow
@pytest.mark.parametrize(
    "text",
    [
        "{{ range loop 100000000 }}x{{ end }}",
        "{{ range loop 100000 }}{{ range loop 100000 }}{{ end }}{{ end }}",
        '{{ define "a" }}{{ template "a" }}{{ end }}{{ template "a" }}',
        '{{ $s := "0123456789abcdef" }}{{ range loop 60 }}{{ $s = printf "%s%s" $s $s }}{{ end }}{{ $s }}',
        '{{ printf "%999999999d" 1 }}',
        '{{ join "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" (loop 1000000) }}',
        '{{ regexReplaceAll "(a|aa|aaa)+$" "b" (printf "%2000s!" "a" | replaceAll " " "a") }}',
        "[" * 1_000_000,
        "{a:" * 200_000,
        "{ jobs: [" + "{}," * 700_000 + "] }",
        '{ jobs: [ { name: "' + "a" * 5_000_000 + '" } ] }',
    ],
    ids=["range", "nested", "recursion", "doubling", "width", "join", "regex", "arrays", "objects", "jobs", "long"],
)  # fmt: skip
def test_bombs_end_in_one_clear_error(tmp_path: Path, text: str) -> None:
    child = start(request(text, tmp_path))
    result = collect(child, 20)
    assert result.config is None
    assert 0 < len(result.problems) <= 202
    assert result.problems[0].message.startswith("cannot ")
    assert len(result.problems[0].text()) < 2000
    assert gone(child.pid)


@pytest.fixture
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a busy machine two seconds of CPU time take longer than the loader has."""
    monkeypatch.setattr(loader, "_WALL_S", 100)


@pytest.mark.slow
@pytest.mark.usefixtures("patience")
def test_too_much_cpu_time_is_an_error(tmp_path: Path, misbehave: Callable[[Callable[[], object]], None]) -> None:
    def burn() -> object:
        while True:
            pass

    misbehave(burn)
    (problem,) = collect(start(request(GOOD, tmp_path)), 100).problems
    assert (problem.code, problem.file) == ("limit", str(tmp_path / "app.json5"))
    assert "did not end within 2 s of CPU time" in problem.message


@pytest.mark.slow
@pytest.mark.usefixtures("patience")
def test_cpu_time_without_python_is_ended_by_the_kernel(
    tmp_path: Path, misbehave: Callable[[Callable[[], object]], None]
) -> None:
    def burn() -> object:
        return 7 ** (7**12)  # one call in C: no handler of ours gets a turn

    misbehave(burn)
    (problem,) = collect(start(request(GOOD, tmp_path)), 100).problems
    assert problem.code == "limit"


def test_too_much_memory_is_an_error(tmp_path: Path, misbehave: Callable[[Callable[[], object]], None]) -> None:
    misbehave(lambda: "x" * 300 * 1024 * 1024)
    (problem,) = collect(start(request(GOOD, tmp_path)), 20).problems
    assert problem.code == "limit"
    assert "256 MiB" in problem.message


def test_memory_below_the_limit_is_there(tmp_path: Path, misbehave: Callable[[Callable[[], object]], None]) -> None:
    misbehave(lambda: exchange.LoadResult(Configuration(stop_timeout_s=len("x" * 200 * 1024 * 1024)), []))
    assert collect(start(request(GOOD, tmp_path)), 20).config == Configuration(stop_timeout_s=200 * 1024 * 1024)


@pytest.mark.slow
def test_a_loader_that_waits_is_killed_at_the_deadline(
    tmp_path: Path, misbehave: Callable[[Callable[[], object]], None]
) -> None:
    misbehave(signal.pause)
    child = start(request(GOOD, tmp_path))
    (problem,) = collect(child, 0.3).problems
    assert problem.message.endswith("judging the configuration did not end within 0.3 s")
    assert gone(child.pid)


def test_a_loader_that_is_killed_is_an_error(tmp_path: Path, misbehave: Callable[[Callable[[], object]], None]) -> None:
    misbehave(lambda: os.kill(os.getpid(), signal.SIGSEGV))
    (problem,) = collect(start(request(GOOD, tmp_path)), 20).problems
    assert problem.message.endswith("the loader was killed by signal 11")


def test_a_loader_that_exits_is_an_error(tmp_path: Path, misbehave: Callable[[Callable[[], object]], None]) -> None:
    misbehave(lambda: os._exit(3))
    (problem,) = collect(start(request(GOOD, tmp_path)), 20).problems
    assert problem.message.endswith("the loader ended with exit status 3")


def test_an_endless_answer_is_refused(tmp_path: Path, misbehave: Callable[[Callable[[], object]], None]) -> None:
    misbehave(lambda: exchange.LoadResult(Configuration(location="x" * (exchange.ANSWER_MAX_BYTES + 1)), []))
    result = collect(start(request(GOOD, tmp_path)), 20)
    assert result.config is None
    assert result.problems[0].is_error


# ------------------------------------------------------------------------------------------------------ interrupted
def test_a_wakeup_interrupts_and_the_loader_goes_on(
    tmp_path: Path, misbehave: Callable[[Callable[[], object]], None]
) -> None:
    def wait() -> object:
        eventually((tmp_path / "go").exists)
        return exchange.LoadResult(Configuration(), [])

    misbehave(wait)
    read_end, write_end = os.pipe()
    try:
        child = start(request(GOOD, tmp_path))
        os.write(write_end, b"x")
        with pytest.raises(Interrupted):
            collect(child, 20, read_end)
        os.read(read_end, 1)
        (tmp_path / "go").touch()
        assert collect(child, 20, read_end).config == Configuration()
    finally:
        os.close(read_end)
        os.close(write_end)


def test_an_abandoned_loader_is_gone(tmp_path: Path, misbehave: Callable[[Callable[[], object]], None]) -> None:
    misbehave(signal.pause)
    child = start(request(GOOD, tmp_path))
    abandon(child)
    assert gone(child.pid)


def test_the_deadline_counts_from_the_start(tmp_path: Path, misbehave: Callable[[Callable[[], object]], None]) -> None:
    misbehave(signal.pause)
    child = start(request(GOOD, tmp_path))
    child.started = time.monotonic() - 100
    assert collect(child, 50).problems[0].code == "limit"


def test_without_a_process_there_is_no_loader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> int:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(os, "fork", fail)
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    with pytest.raises(BlockingIOError):
        start(request(GOOD, tmp_path))
    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == mask


# ---------------------------------------------------------------------------------------------------------- spawned
def test_a_spawned_loader_answers_the_same(tmp_path: Path) -> None:
    asked = request(GOOD, tmp_path, NAME="x\udcff")
    done = spawned(loader.encode_request(asked))
    assert (done.returncode, done.stderr) == (0, b"")
    assert loader.decode_result(done.stdout, asked, done.returncode) == loader.load(asked)


def test_what_is_printed_on_the_way_is_no_part_of_the_answer(tmp_path: Path) -> None:
    asked = request('{ discovery: "chatty", jobs: [ { name: "a" } ] }', tmp_path)
    site = tmp_path / "site"
    info = site / "chatty-1.dist-info"
    info.mkdir(parents=True)
    hook = "from corepilot.plugin import hookimpl\nAPI = '1.0'\n@hookimpl\ndef corepilot_register_backend(): pass\n"
    (site / "chatty.py").write_text(hook + "print('hello there')\n")
    (info / "METADATA").write_text("Name: chatty\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[corepilot.backends]\nchatty = chatty\n")
    program = (
        f"import sys; sys.path.insert(0, {str(site)!r}); from corepilot.config.loading import loader; loader.main()"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-c", program],
        input=loader.encode_request(asked),
        capture_output=True,
        timeout=30,
        check=True,
    )
    assert b"hello there" in done.stderr
    config = loader.decode_result(done.stdout, asked, 0).config
    assert config is not None
    assert [(name, plugin.name) for name, plugin in config.catalogs] == [("chatty", "chatty")]


def test_a_request_that_is_cut_off_ends_the_loader(tmp_path: Path) -> None:
    asked = request(GOOD, tmp_path)
    done = spawned(loader.encode_request(asked)[:-5])
    assert done.returncode != 0
    assert loader.decode_result(done.stdout, asked, done.returncode).problems[0].code == "loader"


def test_a_loader_whose_parent_went_away_ends(tmp_path: Path) -> None:
    argv = own_python("corepilot.config.loading.loader")
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdout.close()
        process.stdin.write(loader.encode_request(request(GOOD, tmp_path)))
        process.stdin.close()
        eventually(lambda: process.poll() is not None, message="the loader should end")


def test_memory_and_core_limits_are_lowered_only_in_the_child(tmp_path: Path) -> None:
    before = [resource.getrlimit(which) for which in (resource.RLIMIT_AS, resource.RLIMIT_CPU, resource.RLIMIT_CORE)]
    collect(start(request(GOOD, tmp_path, NAME="a")), 20)
    after = [resource.getrlimit(which) for which in (resource.RLIMIT_AS, resource.RLIMIT_CPU, resource.RLIMIT_CORE)]
    assert after == before


def test_the_loader_imports_nothing_heavy(tmp_path: Path) -> None:
    program = (
        "import sys; from corepilot.config.loading import loader, light_marshmallow; "
        "light_marshmallow.import_marshmallow(); "
        f"asked = loader.LoadRequest(({str(tmp_path / 'app.json5')!r},), {{'PATH': '/bin'}}, judge_machine=False); "
        "result = loader.load(asked); assert result.config, result.problems; print(*sorted(sys.modules))"
    )
    request('{ discovery: "embedded", jobs: [ { name: "a", exec: "/bin/true" } ] }', tmp_path)
    argv = [sys.executable, "-I", "-c", program]
    done = subprocess.run(argv, capture_output=True, timeout=30, check=True, text=True)
    imported = set(done.stdout.split())
    heavy = {
        "argparse", "asyncio", "concurrent.futures", "gevent", "hashlib", "http.client", "importlib.metadata",
        "logging", "random",
        "pluggy", "shlex", "ssl", "stevedore", "subprocess", "threading", "corepilot.config.diagnostics.excerpts",
    }  # fmt: skip
    assert not imported & heavy


def test_children_know_what_they_are(tmp_path: Path) -> None:
    child = start(request(GOOD, tmp_path, NAME="a"))
    assert isinstance(child, LoaderChild)
    assert child.request.environment["NAME"] == "a"
    assert collect(child, 20).config is not None
