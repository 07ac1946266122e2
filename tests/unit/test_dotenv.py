import os
from pathlib import Path

import pytest

from corepilot.config.loading.dotenv import DotenvError, parse, parse_text
from corepilot.errors import ConfigError


def refusal(text: str) -> str:
    with pytest.raises(DotenvError) as caught:
        parse_text(text, "app.env")
    assert isinstance(caught.value, ConfigError)
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "variables"),
    [
        ("", {}),
        ("\n  \n# one\n \t# two = 2\n", {}),
        ("A=1\nB=2", {"A": "1", "B": "2"}),
        ("A=1\r\nB=2\r\n", {"A": "1", "B": "2"}),
        ("\ufeffA=1", {"A": "1"}),
        ("  A=1", {"A": "1"}),
        ("A=", {"A": ""}),
        ("A= one ", {"A": " one "}),
        ("A=one # two", {"A": "one # two"}),
        ("A=one=two", {"A": "one=two"}),
        ("A=$HOME ${B} `c`", {"A": "$HOME ${B} `c`"}),
        ("A=a\\nb", {"A": "a\\nb"}),
        ("A='one'\nB=\"two\"", {"A": "one", "B": "two"}),
        ("A= ' one ' ", {"A": " one "}),
        ('A="it\'s"', {"A": "it's"}),
        ("A=\"\"\nB=''", {"A": "", "B": ""}),
        ("A='one\nB=two'\nC='\nD='a'b'", {"A": "'one", "B": "two'", "C": "'", "D": "'a'b'"}),
        ("A='one\"", {"A": "'one\""}),
        ('A="a" "b"', {"A": '"a" "b"'}),
        ('A={"a": "b"}', {"A": '{"a": "b"}'}),
        ("export A=1\nexport\tB=2\nexport  C=3", {"A": "1", "B": "2", "C": "3"}),
        ("export=1", {"export": "1"}),
        ("A=1\nA=2", {"A": "2"}),
        ("a.b-c/d=1\né=2", {"a.b-c/d": "1", "é": "2"}),
        ("A=one\u2028two\x0bthree\x85four", {"A": "one\u2028two\x0bthree\x85four"}),
    ],
)
def test_variables(text: str, variables: dict[str, str]) -> None:
    result = parse_text(text, "app.env")
    assert result == variables
    assert list(result) == list(variables)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("A=1\nB", "line 2: there is no '='; write NAME=VALUE, and a value on one line"),
        ("export A", "line 1: there is no '='; write NAME=VALUE, and a value on one line"),
        ("\n\n=1", "line 3: there is no name before '='; write NAME=VALUE"),
        ("export =1", "line 1: there is no name before '='; write NAME=VALUE"),
        ("A =1", "line 1: there is a blank in the name before '='; write NAME=VALUE without blanks around '='"),
        ("A B=1", "line 1: there is a blank in the name before '='; write NAME=VALUE without blanks around '='"),
        ("A=a\0b", "line 1: there is a NUL character, which no variable can hold; remove it"),
        ("A\0=b", "line 1: there is a NUL character, which no variable can hold; remove it"),
    ],
)
def test_lines_that_are_no_variables(text: str, why: str) -> None:
    assert refusal(text) == f"cannot read env file 'app.env', {why}"


def test_no_value_is_shown() -> None:
    key = "-----BEGIN KEY-----\nhunter2hunter2\n-----END KEY-----"
    assert "hunter2" not in refusal(f"A={key}")
    assert "hunter2" not in refusal("hunter2 hunter2=x")


def test_reads_a_file(tmp_path: Path) -> None:
    path = tmp_path / "app.env"
    path.write_text("A=é\n", "utf-8")
    assert parse(str(path)) == {"A": "é"}


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    path = tmp_path / "app.env"
    with pytest.raises(DotenvError, match=r"^cannot read env file '.*': there is no such file; check the path"):
        parse(str(path))
    path.write_bytes(b"A=\xff")
    with pytest.raises(DotenvError, match=r"it is not UTF-8: byte 0xff at line 1, column 3"):
        parse(str(path))
    path.write_text("A=1\n=2")
    with pytest.raises(DotenvError, match=r"^cannot read env file '.*app\.env', line 2: there is no name"):
        parse(str(path))
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(DotenvError, match="it is a pipe, and not all of it was written within"):
        parse(str(tmp_path / "fifo"))
