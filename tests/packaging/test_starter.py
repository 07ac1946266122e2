"""The starter of a bundle, with a loader in its place that tells how it was started."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import pytest
from bundling.making import add_starters
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from corepilot.system.bundled import MARK, OWN, PREFIX, as_given

LOADER = "loader.so"
# How many arguments there are, these, and the environment, each ended by a NUL.
TELL = """
#include <stdio.h>
int main(int argc, char **argv, char **environment) {
    printf("%d%c", argc, 0);
    for (int i = 0; i < argc; i++) fwrite(argv[i], 1, __builtin_strlen(argv[i]) + 1, stdout);
    while (*environment) { fputs(*environment++, stdout); putchar(0); }
    return 0;
}
"""


class Told(NamedTuple):
    words: list[str]
    entries: list[bytes]

    @property
    def environment(self) -> dict[str, str]:
        """As os.environ would be."""
        parts = [entry.partition(b"=") for entry in reversed(self.entries)]
        return {os.fsdecode(name): os.fsdecode(value) for name, _, value in parts}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bundle") / "corepilot"
    (folder / "lib").mkdir(parents=True)
    add_starters(folder, LOADER)
    compiler: list[str | Path] = ["musl-gcc", "-static", "-x", "c", "-", "-o", folder / "lib" / LOADER]
    subprocess.run(compiler, input=TELL, text=True, check=True, timeout=60)
    return folder


# execve(2) takes any strings, in any order, more than once; Python's os.execve does not.
RAW = """
import ctypes, sys
def strings(items):
    return (ctypes.c_char_p * (len(items) + 1))(*items, None)
program, words, environment = eval(sys.stdin.buffer.read())
ctypes.CDLL(None).execve(program, strings(words), strings(environment))
raise SystemExit(99)
"""


def started(program: Path, words: Sequence[str], entries: Iterable[bytes] = (), cwd: Path | None = None) -> Told:
    request = (os.fsencode(program), [os.fsencode(word) for word in words], list(entries))
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", RAW], input=repr(request).encode(), cwd=cwd, capture_output=True, timeout=30,
        check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, b"")
    count, *strings = done.stdout.split(b"\0")[:-1]
    return Told([os.fsdecode(word) for word in strings[: int(count)]], strings[int(count) :])


def entries(environment: Mapping[str, str]) -> list[bytes]:
    return [os.fsencode(f"{name}={value}") for name, value in environment.items()]


def test_it_starts_the_interpreter_through_the_loader_with_the_bundles_libraries_only(made: Path) -> None:
    words = started(made / "bin" / "corepilot", ["corepilot", "run", "", "-c", "a b"]).words
    loader, lib = f"{made}/lib/{LOADER}", f"{made}/lib"
    assert words[:7] == [loader, "--inhibit-cache", "--library-path", lib, "--argv0", f"{made}/bin/python3",
                         f"{lib}/interpreter"]  # fmt: skip
    assert words[7:11] == ["-X", "utf8", "-I", "-c"]
    assert words[11].startswith("from corepilot.cli.main import main")
    assert words[12:] == ["run", "", "-c", "a b"]


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("containerpilot", ["-I", "-c", "from corepilot.cli.containerpilot import main"]),
        ("corepilot-python", ["-I", "-V"]),
        ("python3", ["-V"]),
    ],
)
def test_its_name_decides_what_it_starts(made: Path, tmp_path: Path, name: str, options: list[str]) -> None:
    def is_right(words: list[str]) -> bool:
        return [word.partition(";")[0] for word in words[9 : 9 + len(options)]] == options

    assert is_right(started(made / "bin" / name, [name, "-V"]).words)
    (tmp_path / name).symlink_to(made / "bin" / "corepilot")
    assert is_right(started(tmp_path / name, [name, "-V"]).words), "a link of that name"
    (tmp_path / "other").symlink_to(made / "bin" / name)
    assert is_right(started(tmp_path / "other", ["other", "-V"]).words), "a link to that name"
    assert is_right(started(made / "bin" / "corepilot", [name, "-V"]).words), "called so"


@pytest.mark.parametrize("name", ["with space", "-dash", "new\nline", "$id".replace("$", "%"), "'quote", "a*b", "é"])
def test_it_is_found_through_links_from_anywhere(made: Path, tmp_path: Path, name: str) -> None:
    shutil.copytree(made, tmp_path / name)
    (tmp_path / "first").symlink_to(tmp_path / name / "bin" / "corepilot")
    (tmp_path / "second").symlink_to("first")
    told = started(Path("./second"), ["second"], cwd=tmp_path)
    assert told.words[3] == f"{tmp_path}/{name}/lib"
    assert told.environment[MARK] == f"{tmp_path}/{name}"


def test_without_proc_it_is_found_by_its_path(made: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(made / "bin" / "corepilot")
    script = 'mount -t tmpfs none /proc && cd "$1" && exec ./link --version'
    command: list[str | Path] = ["unshare", "--mount", "sh", "-c", script, "sh", tmp_path]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30)
    assert done.stdout.split("\0")[1] == f"{made}/lib/{LOADER}"


@pytest.mark.parametrize("name", ["a:b", "a;b", "a$b"])
def test_a_folder_that_the_loader_cannot_be_told_is_refused(made: Path, tmp_path: Path, name: str) -> None:
    shutil.copytree(made, tmp_path / name)
    done = subprocess.run([tmp_path / name / "bin" / "corepilot"], capture_output=True, text=True, check=False)
    assert done.returncode == 127
    assert (
        done.stderr == f"corepilot: cannot run from the folder {tmp_path}/{name}: its name must not contain : ; or $\n"
    )


def test_a_starter_without_its_bundle_says_what_to_copy(made: Path, tmp_path: Path) -> None:
    shutil.copy(made / "bin" / "corepilot", tmp_path / "corepilot")
    done = subprocess.run([tmp_path / "corepilot"], capture_output=True, text=True, check=False)
    assert done.returncode == 127
    assert done.stderr == (
        f"corepilot: cannot find the rest of its bundle: no lib/{LOADER} beside the bin of {tmp_path}/corepilot; "
        "copy the whole folder, and make links to its bin\n"
    )


def test_a_loader_that_cannot_be_executed_is_named(made: Path, tmp_path: Path) -> None:
    shutil.copytree(made, tmp_path / "b")
    (tmp_path / "b" / "lib" / LOADER).chmod(0o644)
    done = subprocess.run([tmp_path / "b" / "bin" / "corepilot"], capture_output=True, text=True, check=False)
    assert done.returncode == 126
    assert done.stderr == f"corepilot: cannot start {tmp_path}/b/lib/{LOADER}: Permission denied\n"


ENVIRONMENTS = {
    "empty": {},
    "the loader's": {"LD_PRELOAD": "/x", "LD_LIBRARY_PATH": "/y", "LD_AUDIT": "", "LD_": "1"},
    "the C library's": {"GLIBC_TUNABLES": "a=b", "MALLOC_ARENA_MAX": "1", "LOCPATH": "/l", "GCONV_PATH": "/g"},
    "locales": {"LC_ALL": "de_DE.ISO-8859-1", "LANG": "fr_FR", "LC_CTYPE": "C.UTF-8"},
    "OpenSSL's": {"OPENSSL_CONF": "/c", "OPENSSL_MODULES": "/m", "SSL_CERT_FILE": "/f"},
    "its own names": {MARK: "x", f"{PREFIX}A": "1", f"{PREFIX}{PREFIX}B": "2", PREFIX: "3", "LC_ALL": "C"},
    "no programs": {"PATH": "", "HOME": "", "TERM": ""},
    "long": {"LD_PRELOAD": "/x:" * 40_000, "A": "é" * 60_000, **{f"LD_{number}": "v" * 10_000 for number in range(50)}},
    "Python's": {"PYTHONHOME": "/h", "PYTHONPATH": "/p"},
    "odd": {"a.b": "c", "A B": "", "1": "=", "é": "ü\n", "-u": "x", "LDX": "1", "LC_ALL_": "2", "ld_preload": "/z"},
}


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_the_environment_comes_back_as_it_was(made: Path, name: str) -> None:
    told = started(made / "bin" / "corepilot", ["corepilot"], entries(ENVIRONMENTS[name]))
    assert as_given(told.environment) == ENVIRONMENTS[name]
    seen = {one for one in told.environment if not one.startswith(PREFIX)} - set(OWN)
    assert not [one for one in seen if one.startswith(("LD_", "MALLOC_", "OPENSSL_", "GLIBC_", "LOCPATH", "GCONV_"))]
    assert told.environment["LC_ALL"] == "C"
    assert told.environment["OPENSSL_CONF"] == "/dev/null"


def test_what_is_no_variable_is_left_out(made: Path) -> None:
    told = started(made / "bin" / "corepilot", ["corepilot"], [b"=x", b"NONE", b"", b"GOOD=1", b"LD_NONE"])
    assert as_given(told.environment) == {"GOOD": "1"}


_NAMES = st.one_of(
    st.sampled_from([b"LD_", b"LD_PRELOAD", b"LC_ALL", b"OPENSSL_CONF", MARK.encode(), PREFIX.encode(), b"A"]),
    st.binary(min_size=1, max_size=20),
)
_ENTRY = st.builds(lambda names, value: b"".join(names) + value, st.lists(_NAMES, max_size=3),
                   st.one_of(st.just(b""), st.binary(max_size=40).map(b"=".__add__)))  # fmt: skip


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(raw=st.lists(_ENTRY.map(lambda entry: entry.replace(b"\0", b"")), max_size=12))
def test_any_environment_comes_back(made: Path, raw: list[bytes]) -> None:
    told = started(made / "bin" / "corepilot", ["corepilot"], raw)
    expected = [entry.partition(b"=") for entry in reversed(raw) if b"=" in entry[1:] and not entry.startswith(b"=")]
    assert as_given(told.environment) == {os.fsdecode(name): os.fsdecode(value) for name, _, value in expected}


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(words=st.lists(st.binary(max_size=30).map(lambda word: word.replace(b"\0", b"")), max_size=8))
def test_any_arguments_are_handed_on(made: Path, words: list[bytes]) -> None:
    told = started(made / "bin" / "corepilot", ["corepilot", *map(os.fsdecode, words)])
    assert told.words[12:] == [os.fsdecode(word) for word in words]


def test_many_and_long_arguments_are_handed_on(made: Path) -> None:
    words = ["x" * 120_000, *map(str, range(10_000)), "é" * 60_000]
    assert started(made / "bin" / "corepilot", ["corepilot", *words]).words[12:] == words


@pytest.mark.parametrize("words", [[], [""], ["-"], ["/"], ["a/"], ["-corepilot"], ["./no/such/corepilot"]])
def test_any_name_that_it_is_called_by_will_do(made: Path, words: list[str]) -> None:
    """Also none: execve(2) with an empty list, which Linux takes for one with an empty name since 5.18."""
    told = started(made / "bin" / "corepilot", words).words
    assert (told[3], told[9], len(told)) == (f"{made}/lib", "-I", 12)


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_it_needs_no_descriptor(made: Path, tmp_path: Path, closed: str) -> None:
    shutil.copytree(made, tmp_path / "b")
    loader = tmp_path / "b" / "lib" / LOADER
    loader.write_text("#!/bin/sh\nexit 7\n")
    command = f'exec "$0" {closed}'
    done = subprocess.run(["sh", "-c", command, tmp_path / "b" / "bin" / "corepilot"], check=False, timeout=30)
    assert done.returncode == 7
    loader.unlink()
    done = subprocess.run(["sh", "-c", command, tmp_path / "b" / "bin" / "corepilot"], check=False, timeout=30)
    assert done.returncode == 127


def test_the_same_source_gives_the_same_program(made: Path, tmp_path: Path) -> None:
    (tmp_path / "lib").mkdir()
    add_starters(tmp_path, LOADER)
    assert (tmp_path / "bin" / "python3").read_bytes() == (made / "bin" / "corepilot").read_bytes()
