import pytest

from corepilot.wording.escaping import escaped


@pytest.mark.parametrize("text", ["", "plain text", "naïve ☃ 猫", r"C:\n", "'quoted' \"too\""])
def test_printable_text_stays_as_it_is(text: str) -> None:
    assert escaped(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\nb\r\t", r"a\nb\r\t"),
        ("\x1b[2J\x00\x7f", r"\x1b[2J\x00\x7f"),
        ("\u0085\u2028\u2029", r"\x85\u2028\u2029"),
        ("\ud800", r"\ud800"),
        ("\u202e\u200b", r"\u202e\u200b"),
    ],
)
def test_everything_else_is_escaped(text: str, shown: str) -> None:
    assert escaped(text) == shown
    assert escaped(text).isprintable()
