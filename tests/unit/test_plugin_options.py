"""Options: built from plain data, described for reference pages."""

from dataclasses import dataclass, make_dataclass
from typing import Any, Literal

import pytest

from corepilot.plugin import OptionError, option
from corepilot.plugin.options import OptionInfo, build, fields_of


@dataclass(frozen=True)
class Tls:
    cafile: str = option(help="a file of certificates", default="", path="file", env="X_CA", env_wins=True)
    verify: bool = option(help="check the certificate", default=True)

    def __post_init__(self) -> None:
        if self.cafile == "bad":
            raise OptionError("cafile", "this is no file")


@dataclass(frozen=True)
class Options:
    path: str = option(help="where", example="/var/lib/x")
    mode: Literal["a", "b"] = option(help="how", default="a")
    wait_s: float = option(help="how long", unit="s", minimum=0.5, default=1.0)
    count: int | None = option(help="how many", default=None)
    tags: tuple[str, ...] = option(help="which", default=())
    token: str = option(help="who", default="", secret=True)
    tls: Tls = option(help="TLS", default=Tls(verify=False))  # noqa: RUF009  - ruff does not know `option`


def test_plain_data_become_the_dataclass_with_nested_objects_and_tuples() -> None:
    made = build(Options, {"path": "/p", "tags": ["x", "y"], "tls": {"cafile": "/ca"}})
    assert made == Options(path="/p", tags=("x", "y"), tls=Tls(cafile="/ca"))


def test_defaults_fill_what_is_left_out() -> None:
    assert build(Options, {"path": "/p"}).tls == Tls(verify=False)


def test_an_error_of_a_nested_object_names_the_whole_path() -> None:
    with pytest.raises(OptionError, match="this is no file") as caught:
        build(Options, {"path": "/p", "tls": {"cafile": "bad"}})
    assert caught.value.name == "tls.cafile"


@pytest.mark.parametrize("plain", [{}, {"path": "/p", "nope": 1}])
def test_missing_and_unknown_names_are_type_errors(plain: dict[str, Any]) -> None:
    with pytest.raises(TypeError):
        build(Options, plain)


def test_every_field_is_described_nested_ones_in_their_place() -> None:
    described = {field.name: field for field in fields_of(Options)}
    assert list(described) == ["path", "mode", "wait_s", "count", "tags", "token", "tls.cafile", "tls.verify"]
    assert {name: field.type for name, field in described.items()} == {
        "path": "text",
        "mode": "one of a, b",
        "wait_s": "duration",
        "count": "integer, or null",
        "tags": "list of text",
        "token": "text",
        "tls.cafile": "text",
        "tls.verify": "true or false",
    }
    assert described["path"].required
    assert not described["mode"].required
    assert described["tls.verify"].default is False  # the default of the whole object, not of its class
    assert described["tls.cafile"].info == OptionInfo(
        help="a file of certificates", env="X_CA", env_wins=True, path="file"
    )


def test_a_class_that_is_no_frozen_dataclass_is_refused() -> None:
    class Plain:
        pass

    @dataclass
    class Thawed:
        x: int = 1

    with pytest.raises(TypeError, match="must be a dataclass"):
        list(fields_of(Plain))
    with pytest.raises(TypeError, match="must be frozen"):
        list(fields_of(Thawed))


@pytest.mark.parametrize(
    ("hint", "default", "said"),
    [
        (str, None, "is text, and its default is None"),
        (float, "10", "is number, and its default is '10'"),
        (int, 1.5, "is integer, and its default is 1.5"),
        (int, True, "is integer, and its default is True"),
        (int | None, "", "is integer, or null, and its default is ''"),
        (Literal["a", "b"], "c", "is one of a, b, and its default is 'c'"),
        (tuple[str, ...], "a", "is list of text, and its default is 'a'"),
        (tuple[str, ...], (1,), r"is list of text, and its default is \(1,\)"),
        (float, 10, ""),
        (int | None, None, ""),
        (tuple[str, ...], ("a",), ""),
    ],
)
def test_a_default_is_of_the_type_of_its_field(hint: Any, default: object, said: str) -> None:
    kind = make_dataclass("Options", [("x", hint, option(help="x", default=default))], frozen=True)
    if not said:
        assert [one.default for one in fields_of(kind)] == [default]
        return
    with pytest.raises(TypeError, match=f"Options.x {said}"):
        list(fields_of(kind))


def test_a_type_that_no_configuration_can_give_is_refused_by_name() -> None:
    @dataclass(frozen=True)
    class Odd:
        x: dict[str, str] = option(help="odd", default=None)  # noqa: RUF009  - ruff does not know `option`

    with pytest.raises(TypeError, match=r"Odd\.x has a type that no configuration can give"):
        list(fields_of(Odd))
