"""Configurations that are kept for the next start: used where nothing has changed and nobody else can have written."""

import os
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from running import Corepilot, cli

from corepilot import _version
from corepilot.config.loading import cache
from corepilot.config.loading.loader import LoadRequest, LoadResult, load

ONE = '{jobs: [{name: "app", exec: ["sh", "-c", "sleep 1000"]}]}'
KEPT = {
    "one job": ONE,
    "a template": '{jobs: [{name: "{{ .NAME }}", exec: "sh {{ .UNSET }}", env: {A: "b"}}]}',
    "warnings": """{jobs: [{name: "app", exec: "not-there-at-all"}, {name: "other", exec: "sh", port: 80,
        interfaces: "lo", health: {exec: "true", interval: 1, ttl: 5}}]}""",
    "a catalog": """{
        discovery: {backend: "embedded", path: "DIR/catalog"},
        telemetry: {port: 9090, interfaces: ["static:127.0.0.1"]},
        watches: [{name: "db"}],
        jobs: [{name: "app", exec: "sh", port: 80, interfaces: "lo", health: {exec: "true", interval: 1, ttl: 5}}],
    }""",
}
UNKEPT = {
    "holds a secret": '{jobs: [{name: "app", exec: "sh {{ .A_TOKEN }}"}]}',
    "settings of its process": '{jobs: [{name: "app", exec: "sh", cwd: "/tmp"}]}',
    "what is in": '{jobs: [{name: "app", exec: "sh", envFile: "DIR/variables"}]}',
    "renders files": """{discovery: {backend: "embedded", path: "DIR/catalog"}, watches: [{name: "db"}],
        render: [{template: "{{ 1 }}", to: "DIR/made"}], jobs: [{name: "app", exec: "sh"}]}""",
    "a file of its own": '{jobs: [{name: "app", exec: "sh", logging: {file: "DIR/log"}}]}',
}


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    made = tmp_path / "cache"
    made.mkdir(mode=0o755)
    return made


def request(directory: Path, text: str = ONE, **changed: object) -> LoadRequest:
    file = directory.parent / "app.json5"
    file.write_text(text.replace("DIR", str(directory.parent)))
    file.chmod(0o644)
    environment = {"PATH": os.environ["PATH"], "NAME": "named", "A_TOKEN": "secret word", "OTHER": "x"}
    return LoadRequest((str(file),), environment, hostname="here", cache=str(directory)).changed(**changed)


def kept(directory: Path, text: str = ONE) -> LoadRequest:
    asked = request(directory, text)
    result = load(asked)
    assert result.config is not None, result.problems
    assert result.uncached == ""
    return asked


def find(asked: LoadRequest) -> object:
    return cache.find(asked.cache, asked)


def entry(directory: Path) -> Path:
    [found] = directory.iterdir()
    return found


@pytest.mark.parametrize("text", KEPT.values(), ids=KEPT)
def test_what_is_found_is_what_loading_makes(directory: Path, text: str) -> None:
    asked = kept(directory, text)
    found, made = cache.find(asked.cache, asked), load(asked.changed(cache="")).config
    assert found is not None
    assert made is not None
    assert found == made
    assert (found.warnings, found.location, found.origins) == (made.warnings, made.location, made.origins)
    environment = {**asked.environment, "OTHER": "y", "NEW": "z"}
    assert find(asked.changed(environment=environment)) == made


@pytest.mark.parametrize(("reason", "text"), UNKEPT.items(), ids=UNKEPT)
def test_what_may_change_unseen_or_is_secret_is_not_kept(directory: Path, reason: str, text: str) -> None:
    (directory.parent / "variables").write_text("A=b\n")
    result = load(request(directory, text))
    assert result.config is not None, result.problems
    assert reason in result.uncached
    assert not [*directory.iterdir()]


def test_a_document_that_is_no_regular_file_is_not_kept(directory: Path) -> None:
    (directory.parent / "conf.d").mkdir()
    (directory.parent / "conf.d" / "a.json5").write_text(ONE)
    result = load(request(directory).changed(locations=(str(directory.parent / "conf.d"),)))
    assert "regular files" in result.uncached
    result = load(request(directory).changed(locations=("env:TEXT",), environment={"TEXT": ONE}))
    assert "regular files" in result.uncached


def with_variable(name: str, value: str) -> Callable[[LoadRequest], LoadRequest]:
    return lambda asked: asked.changed(environment={**asked.environment, name: value})


def after(harm: Callable[[Path], object]) -> Callable[[LoadRequest], LoadRequest]:
    def changed(asked: LoadRequest) -> LoadRequest:
        harm(Path(asked.locations[0]))
        return asked

    return changed


CHANGES: dict[str, Callable[[LoadRequest], LoadRequest]] = {
    "the text": after(lambda file: file.write_text(KEPT["a template"] + " ")),
    "the file's mode": after(lambda file: file.chmod(0o666)),
    "a file that is gone": after(lambda file: file.unlink()),
    "a variable": with_variable("NAME", "other"),
    "a variable that was not set": with_variable("UNSET", "1"),
    "where programs are": with_variable("PATH", "/nowhere"),
    "the catalog": lambda asked: asked.changed(discovery="none"),
    "how locations are read": lambda asked: asked.changed(paths_only=True),
    "another configuration": lambda asked: asked.changed(locations=(asked.locations[0] + "x",)),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_nothing_is_found_where_something_has_changed(
    directory: Path, change: Callable[[LoadRequest], LoadRequest]
) -> None:
    assert find(change(kept(directory, KEPT["a template"]))) is None


def test_nor_on_another_machine_or_with_other_code(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = kept(directory, KEPT["a catalog"])
    assert find(asked) is not None
    assert find(asked.changed(hostname="there")) is None
    monkeypatch.setattr(_version, "__version__", "0.0.0")
    assert find(asked) is None
    monkeypatch.undo()
    monkeypatch.setattr(sys, "path", [*sys.path, str(directory.parent)])  # where other plugins may be
    assert find(asked) is None


def test_a_variable_that_a_range_goes_over_counts_with_all_others(directory: Path) -> None:
    text = '{{ range $name, $value := . }}// {{ $name }}\n{{ end }}{jobs: [{name: "app", exec: "sh"}]}'
    asked = request(directory, text)
    asked = asked.changed(environment={"PATH": asked.environment["PATH"], "A": "b"})
    assert load(asked).uncached == ""
    assert find(asked) is not None
    assert find(with_variable("C", "d")(asked)) is None


def foreign(path: Path) -> None:
    os.chown(path, 1234, 1234)


def linked(path: Path) -> None:
    path.rename(path.with_suffix(".moved"))
    path.symlink_to(path.with_suffix(".moved"))


def piped(path: Path) -> None:
    path.unlink()
    os.mkfifo(path, 0o644)


def filled(path: Path) -> None:
    path.unlink()
    path.mkdir()


UNSAFE: dict[str, Callable[[Path], object]] = {
    "an entry of another user": foreign,
    "an entry that a group can write": lambda path: path.chmod(0o664),
    "an entry that all can write": lambda path: path.chmod(0o646),
    "a link": linked,
    "a second name": lambda path: os.link(path, path.with_suffix(".second")),
    "a pipe": piped,
    "a directory": filled,
    "an entry that is too long": lambda path: os.truncate(path, cache.ENTRY_MAX_BYTES + 1),
    "a directory of another user": lambda path: foreign(path.parent),
    "a directory that a group can write": lambda path: path.parent.chmod(0o775),
    "a sticky directory for all": lambda path: path.parent.chmod(0o1777),
    "a directory above that all can write": lambda path: path.parent.parent.chmod(0o777),
    "no directory": lambda path: path.parent.rename(path.parent.with_name("moved")),
}


@pytest.mark.parametrize("harm", UNSAFE.values(), ids=UNSAFE)
def test_what_another_user_can_have_written_is_not_read(directory: Path, harm: Callable[[Path], object]) -> None:
    asked = kept(directory)
    assert find(asked) is not None
    mode = stat.S_IMODE(directory.parent.stat().st_mode)
    try:
        harm(entry(directory))
        assert find(asked) is None
    finally:
        directory.parent.chmod(mode)


def test_nothing_is_written_where_others_can_write(directory: Path) -> None:
    directory.chmod(0o777)
    result = load(request(directory))
    assert result.config is not None
    assert "no directory that only this user and root can change" in result.uncached
    assert not [*directory.iterdir()]
    assert load(request(directory).changed(cache=str(directory / "none"))).uncached


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_broken_entry_is_none(directory: Path, data: st.DataObject) -> None:
    asked = kept(directory, KEPT["a template"])
    whole = entry(directory).read_bytes()
    start = data.draw(st.integers(0, len(whole) - 1))
    end = data.draw(st.integers(start, len(whole)))
    broken = whole[:start] + data.draw(st.binary(max_size=64)) + whole[end:]
    entry(directory).write_bytes(broken)
    assert (find(asked) is None) is (broken != whole)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=st.one_of(st.binary(max_size=200), st.just(b"\xdb\x00\x00\x00\x00")))
def test_nor_is_one_whose_digest_is_right_and_that_holds_something_else(directory: Path, body: bytes) -> None:
    asked = kept(directory)
    import marshal

    try:
        marshal.loads(body)
    except (EOFError, ValueError, TypeError):
        entry(directory).write_bytes(cache.header(body) + body)
        assert find(asked) is None
    for other in (marshal.dumps(None), marshal.dumps(([], ["NoSuchValue"])), marshal.dumps(([("x", (), 1)], []))):
        entry(directory).write_bytes(cache.header(other) + other)
        assert find(asked) is None


def test_who_may_read_an_entry(directory: Path) -> None:
    asked = kept(directory)
    assert stat.S_IMODE(entry(directory).stat().st_mode) == 0o644
    kept(directory, KEPT["a template"])  # what a variable holds may not be for everybody
    assert stat.S_IMODE(entry(directory).stat().st_mode) == 0o600
    asked = request(directory)
    Path(asked.locations[0]).chmod(0o640)
    assert load(asked).uncached == ""
    assert stat.S_IMODE(entry(directory).stat().st_mode) == 0o600


def test_the_oldest_entries_go_and_what_killed_loaders_have_left(directory: Path) -> None:
    for index in range(cache.ENTRIES_MAX + 5):
        name = f"new.{index}" if index % 2 else f"{index:032x}{cache.SUFFIX}"
        (directory / name).touch()
        os.utime(directory / name, (index, index))
    (directory / "not ours").touch()
    asked = kept(directory)
    names = {path.name for path in directory.iterdir()}
    assert len(names) == cache.ENTRIES_MAX + 1
    assert {"not ours", cache.name_of(asked), f"new.{cache.ENTRIES_MAX + 3}"} <= names
    assert f"{0:032x}{cache.SUFFIX}" not in names


WITHOUT_LOADER = """
import sys
if sys.argv.pop(1) == "broken":
    sys.modules["marshmallow"] = None
from corepilot.cli.main import main
sys.exit(main())
"""
WARNED = """{
    control: {socket: "%s/control.socket"},
    jobs: [{name: "app", exec: ["sh", "-c", "exit 0"]}, {name: "other", exec: "true", port: 80,
        interfaces: "static:127.0.0.1", health: {interval: 1, ttl: 5}}],
}"""


def test_a_start_takes_it_and_says_what_a_load_says(directory: Path) -> None:
    file = directory.parent / "app.json5"
    file.write_text(WARNED % directory.parent)
    environment = {**os.environ, "COREPILOT_CACHE": str(directory)}

    def run(how: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-I", "-c", WITHOUT_LOADER, how, "run", "-c", str(file)]
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)

    def said(done: subprocess.CompletedProcess[str]) -> list[str]:
        return [line.partition(" ")[2] for line in done.stdout.splitlines() if "no catalog" in line]

    assert run("broken").returncode != 0
    loaded = run("whole")
    assert loaded.returncode == 0, loaded.stdout + loaded.stderr
    assert len(said(loaded)) == 1, loaded.stdout
    found = run("broken")  # without what validates
    assert found.returncode == 0, found.stdout + found.stderr
    assert said(found) == said(loaded)
    file.write_text(WARNED.replace("app", "changed") % directory.parent)
    assert run("broken").returncode != 0
    assert run("whole").returncode == 0
    assert run("broken").returncode == 0


def test_a_start_with_a_directory_that_cannot_be_used_loads(tmp_path: Path) -> None:
    (tmp_path / "cache").mkdir(mode=0o777)
    (tmp_path / "cache").chmod(0o777)
    with Corepilot(ONE, tmp_path, environment={"COREPILOT_CACHE": str(tmp_path / "cache")}) as corepilot:
        corepilot.until("app: started")
    assert not [*(tmp_path / "cache").iterdir()]


def test_check_makes_the_directory_and_keeps(tmp_path: Path) -> None:
    file = tmp_path / "app.json5"
    file.write_text(ONE)
    environment = {**os.environ, "COREPILOT_CACHE": str(tmp_path / "var" / "cache")}
    answer = cli("check", "--cache", str(file), environment=environment)
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout.endswith(f"{file}: kept in {tmp_path}/var/cache for the next starts\n")
    asked = LoadRequest((str(file),), environment, hostname=os.uname().nodename)
    assert cache.find(environment["COREPILOT_CACHE"], asked) == load(asked).config
    file.write_text(UNKEPT["settings of its process"])
    answer = cli("check", "--cache", "-c", str(file), environment=environment)
    assert answer.returncode == 0, answer.stderr
    assert f"{file}: not kept, each start loads it: a job has settings" in answer.stdout
    for value in ("", "relative"):
        answer = cli("check", "--cache", str(file), environment={**environment, "COREPILOT_CACHE": value})
        assert (answer.returncode, answer.stdout) == (1, "")
        assert "$COREPILOT_CACHE is no absolute path" in answer.stderr
    (tmp_path / "file").touch()
    environment["COREPILOT_CACHE"] = str(tmp_path / "file" / "x")
    answer = cli("check", "--cache", str(file), environment=environment)
    assert answer.returncode == 1
    assert answer.stderr.startswith(f"corepilot: cannot make {tmp_path}/file/x: ")


def test_a_result_says_why_it_is_not_kept_across_the_pipe() -> None:
    from corepilot.config.loading.exchange import decode_result, encode_result

    result = LoadResult(None, [], uncached="it is large")
    assert decode_result(encode_result(result), LoadRequest(("a",), {})).uncached == "it is large"
