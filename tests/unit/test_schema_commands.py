"""Commands: ContainerPilot contract, section 4.2."""

import pytest

from corepilot.config.text.commands import formatted, oddities, split


@pytest.mark.parametrize(
    ("text", "arguments"),
    [
        ("a", ("a",)),
        (" a b ", ("a", "b")),
        ("a  b", ("a", "", "b")),
        ("a\tb c", ("a\tb", "c")),
        ("a 'b c'", ("a", "'b", "c'")),
        ("a $X | ~", ("a", "$X", "|", "~")),
        (" ", ("",)),
    ],
)
def test_split(text: str, arguments: tuple[str, ...]) -> None:
    assert split(text) == arguments


# What Go's fmt.Sprintf("%v", x) prints, numbers being float64, as JSON makes them.
@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"), (1, "1"), (-1, "-1"), (100000, "100000"), (1000000, "1e+06"), (123456789, "1.23456789e+08"),
        (999999.5, "999999.5"), (1e20, "1e+20"), (1e21, "1e+21"), (1e100, "1e+100"), (0.0001, "0.0001"),
        (0.00001, "1e-05"), (2.5e-7, "2.5e-07"), (1.5, "1.5"), (-12.25, "-12.25"), (-0.0, "-0"),
        (float("inf"), "+Inf"), (float("-inf"), "-Inf"), (float("nan"), "NaN"), (5e-324, "5e-324"),
        (1.7976931348623157e308, "1.7976931348623157e+308"), (9007199254740993, "9.007199254740992e+15"),
        (True, "true"), (None, "<nil>"), (["x", 1000000, []], "[x 1e+06 []]"), ({"b": 1, "a": "x"}, "map[a:x b:1]"),
    ],
)  # fmt: skip
def test_elements_are_formatted_as_go_does(value: object, text: str) -> None:
    assert formatted(value) == text


@pytest.mark.parametrize(
    ("text", "count"),
    [("/bin/a b", 0), ("a 'b'", 1), ('a "b"', 1), ("a `b`", 1), ("a && b", 1), ("a > b", 1), ("a  b", 1), ("a\nb", 1),
     ("a 'b | c'", 1), ("a 'b'  c", 2), ("a b>c", 0)],
)  # fmt: skip
def test_oddities(text: str, count: int) -> None:
    assert len(list(oddities(text))) == count
