"""Validation made from a plugin's `Options` dataclass."""

from dataclasses import dataclass
from typing import Any, Literal

import pytest

from corepilot.config.schema.options import Judged, json_schema, judge, section_for
from corepilot.plugin import OptionError, option
from corepilot.plugin.options import build


@dataclass(frozen=True)
class Inner:
    size: int = option(help="size", unit="bytes", minimum=1, maximum=10, default=5, env="SIZE")
    needed: str = option(help="needed", default="")


@dataclass(frozen=True)
class Options:
    path: str = option(help="where", example="/x")
    wait_s: float = option(help="how long", unit="s", minimum=0, maximum=60, default=1.5)
    ratio: float = option(help="how much", minimum=0, maximum=1, default=0.5)
    mode: Literal["fast", "safe"] = option(help="how", default="safe")
    names: tuple[str, ...] = option(help="who", default=("a",), env="NAMES")
    load: str | None = option(help="a name that marshmallow uses too", default=None)
    keys: bool = option(help="another", default=False, env="KEYS")
    inner: Inner = option(help="more", default=Inner())  # noqa: RUF009  - frozen, and a default like any other
    secret: str = option(help="hidden", default="", secret=True)

    def __post_init__(self) -> None:
        if self.path == "bad":
            raise OptionError("path", "it is bad; write a good one")
        if self.inner.needed == "bad":
            raise OptionError("inner.needed", "it is bad as well")


def judged(raw: dict[str, Any], environment: dict[str, str] | None = None, **settings: bool) -> Judged:
    return judge(Options, raw, environment or {}, **settings)


def plain_of(result: Judged) -> dict[str, Any]:
    assert result.options is not None
    return result.options.plain()


def found(raw: dict[str, Any]) -> list[tuple[str, str]]:
    result = judged(raw)
    assert (result.options is None) == bool(result.complaints)
    return [(complaint.code, ".".join(map(str, path))) for path, complaint in result.complaints]


def test_defaults_are_filled_in_and_the_result_builds_the_options() -> None:
    plain = plain_of(judged({"path": "/p"}))
    assert plain == {
        "path": "/p", "wait_s": 1.5, "ratio": 0.5, "mode": "safe", "names": ("a",), "load": None, "keys": False,
        "inner": {"size": 5, "needed": ""}, "secret": "",
    }  # fmt: skip
    assert build(Options, plain) == Options("/p")


@pytest.mark.parametrize(
    ("raw", "name", "value"),
    [
        ({"wait_s": "500ms"}, "wait_s", 0.5),
        ({"wait_s": 3}, "wait_s", 3.0),
        ({"wait_s": ""}, "wait_s", 1.5),
        ({"ratio": "0.25"}, "ratio", 0.25),
        ({"ratio": 1}, "ratio", 1.0),
        ({"mode": "fast"}, "mode", "fast"),
        ({"names": ["x", 1]}, "names", ("x", "1")),
        ({"names": []}, "names", ()),
        ({"load": 5}, "load", "5"),
        ({"load": None}, "load", None),
        ({"mode": None}, "mode", "safe"),
        ({"keys": "t"}, "keys", True),
        ({"INNER": {"Size": 7.9}}, "inner", {"size": 7, "needed": ""}),
        ({"inner": None}, "inner", {"size": 5, "needed": ""}),
    ],
)
def test_values(raw: dict[str, Any], name: str, value: object) -> None:
    plain = plain_of(judged({"path": "/p", **raw}))
    assert plain[name] == value


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ({}, [("missing-key", "path")]),
        ({"path": None}, [("missing-key", "path")]),
        ({"path": []}, [("wrong-type", "path")]),
        ({"path": "/p", "wait_s": 61}, [("wrong-value", "wait_s")]),
        ({"path": "/p", "wait_s": "-1s"}, [("wrong-value", "wait_s")]),
        ({"path": "/p", "wait_s": "soon"}, [("bad-duration", "wait_s")]),
        ({"path": "/p", "ratio": 2}, [("wrong-value", "ratio")]),
        ({"path": "/p", "ratio": "x"}, [("wrong-type", "ratio")]),
        ({"path": "/p", "ratio": float("nan")}, [("wrong-type", "ratio")]),
        ({"path": "/p", "mode": "Fast"}, [("wrong-value", "mode")]),
        ({"path": "/p", "names": "x"}, [("wrong-type", "names")]),
        ({"path": "/p", "keys": "yes"}, [("wrong-type", "keys")]),
        ({"path": "/p", "inner": 5}, [("wrong-type", "inner")]),
        ({"path": "/p", "inner": {"size": 0}}, [("wrong-value", "inner.size")]),
        ({"path": "/p", "inner": {"sise": 1}}, [("unknown-key", "inner.sise")]),
        ({"path": "/p", "pth": 1, "Mode": "fast", "mode": "fast"}, [("unknown-key", "pth"), ("unknown-key", "Mode")]),
        ({"path": "bad"}, [("bad-option", "path")]),
        ({"path": "/p", "inner": {"needed": "bad"}}, [("bad-option", "inner.needed")]),
        ({"path": [], "mode": 1, "x": 1}, [("wrong-type", "path"), ("wrong-value", "mode"), ("unknown-key", "x")]),
    ],
)
def test_what_is_refused(raw: dict[str, Any], expected: list[tuple[str, str]]) -> None:
    assert sorted(found(raw)) == sorted(expected)


def test_a_secret_is_in_no_complaint() -> None:
    (complaint,) = [complaint for _, complaint in judged({"path": "/p", "secret": ["hunter22"]}).complaints]
    assert complaint.rule == "the value is not a text"


def test_the_environment_fills_in_what_is_not_given() -> None:
    environment = {"SIZE": "3", "NAMES": "x,y", "KEYS": "1"}
    result = judged({"path": "/p"}, environment)
    plain = plain_of(result)
    assert (plain["inner"]["size"], plain["names"], plain["keys"]) == (3, ("x", "y"), True)
    assert result.sources == {("names",): "$NAMES", ("keys",): "$KEYS", ("inner", "size"): "$SIZE"}
    given = plain_of(judged({"path": "/p", "Inner": {"SIZE": 4}, "names": ["z"], "KEYS": 0}, environment))
    assert (given["inner"]["size"], given["names"], given["keys"]) == (4, ("z",), False)


def test_a_wrong_value_of_the_environment_is_refused() -> None:
    result = judged({"path": "/p"}, {"SIZE": "11"})
    assert [(path, complaint.code) for path, complaint in result.complaints] == [(("inner", "size"), "wrong-value")]
    assert result.sources == {("inner", "size"): "$SIZE"}


def test_texts_of_a_command_line_are_split_where_a_list_is_wanted() -> None:
    plain = plain_of(judged({"path": "/p", "names": "x,y", "wait_s": "2s", "keys": "true"}, texts=True))
    assert (plain["names"], plain["wait_s"], plain["keys"]) == (("x", "y"), 2.0, True)


def test_a_type_that_no_configuration_can_give_is_the_authors_mistake() -> None:
    @dataclass(frozen=True)
    class Wrong:
        table: dict[str, str] = option(help="no")  # noqa: RUF009  - what authors write

    with pytest.raises(TypeError, match="dict"):
        section_for(Wrong)


def test_json_schema() -> None:
    schema = json_schema(Options)
    assert schema["type"] == "object"
    assert schema["additionalProperties"] is False
    assert schema["required"] == ["path"]
    properties = schema["properties"]
    assert properties["path"] == {"type": "string", "examples": ["/x"], "description": "where"}
    assert properties["wait_s"]["type"] == ["number", "string"]
    assert properties["wait_s"]["maximum"] == 60
    assert properties["mode"] == {"enum": ["fast", "safe"], "description": "how", "default": "safe"}
    assert properties["names"]["items"] == {"type": "string"}
    assert properties["names"]["default"] == ["a"]
    assert properties["load"]["anyOf"] == [{"type": "string"}, {"type": "null"}]
    assert properties["inner"]["properties"]["size"]["description"] == "size (bytes)"
    assert properties["secret"]["writeOnly"] is True
    assert "default" not in properties["secret"]
