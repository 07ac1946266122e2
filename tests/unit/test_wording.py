"""Escaping, tables, counts and tracebacks: what messages and tables are made of."""

from hypothesis import given
from hypothesis import strategies as st

from corepilot.config.diagnostics.problems import Problem
from corepilot.wording.counting import counted
from corepilot.wording.escaping import escaped
from corepilot.wording.failures import one_line_traceback
from corepilot.wording.tables import table

HOSTILE = st.text(st.characters() | st.sampled_from("\n\r\t\x1b\x7f\x9b\u2028\u202e\udcff\\"))


def test_what_is_not_printable_is_shown_by_its_escape() -> None:
    assert escaped("a b\n\r\t\x00\x1b[2J\x7f\x9b\u2028\u202e\udcff\U000e0001") == (
        r"a b\n\r\t\x00\x1b[2J\x7f\x9b\u2028\u202e\udcff\U000e0001"
    )
    assert escaped('"é" \\n \N{SNOWMAN}') == '"é" \\n \N{SNOWMAN}'


@given(HOSTILE)
def test_an_escaped_text_is_printable_and_stays_so(text: str) -> None:
    once = escaped(text)
    assert once.isprintable()
    assert escaped(once) == once
    once.encode("utf-8")  # no surrogate is left
    assert text != once or text.isprintable()


@given(HOSTILE, HOSTILE, HOSTILE, HOSTILE)
def test_a_problem_has_the_lines_that_its_form_has_whatever_its_names_hold(
    file: str, message: str, hint: str, name: str
) -> None:
    problem = Problem("error", "bad-name", message, hint, file, 3, 1, job=name, unset=(name,))
    assert problem.sentence().isprintable()
    lines = problem.text().split("\n")
    assert len(lines) == 2 + bool(hint)
    assert all(line.isprintable() for line in lines)


@given(st.lists(st.tuples(HOSTILE, HOSTILE), min_size=1, max_size=4))
def test_a_table_has_one_line_for_each_row_whatever_its_cells_hold(rows: list[tuple[str, str]]) -> None:
    lines = table(("ONE", "OTHER"), rows)
    assert len(lines) == 1 + len(rows)
    column = lines[0].index("OTHER")
    for line, (one, other) in zip(lines[1:], rows, strict=True):
        assert line.isprintable()
        assert line[: column - 2].rstrip() == escaped(one).rstrip()
        assert line[column:] == escaped(other).rstrip()


def test_columns_are_as_wide_as_their_longest_cell() -> None:
    assert table(("JOB", "PID"), [("a", "1"), ("longer", "")]) == ["JOB     PID", "a       1", "longer"]
    assert table(("JOB", "PID"), []) == []


def test_numbers_of_things() -> None:
    assert [counted(number, "job") for number in (0, 1, 2)] == ["0 jobs", "1 job", "2 jobs"]
    assert [counted(number, "watch", "watches") for number in (1, 2)] == ["1 watch", "2 watches"]


def test_a_traceback_on_one_line_has_its_cause() -> None:
    try:
        try:
            raise KeyError("first")  # noqa: TRY301  - the traceback is what is tested
        except KeyError as error:
            raise ValueError("second\nline") from error
    except ValueError as error:
        line = one_line_traceback(error)
    assert "\n" not in line
    assert line.startswith("Traceback (most recent call last): | ")
    assert "KeyError: 'first' | " in line
    assert line.endswith("ValueError: second | line")
