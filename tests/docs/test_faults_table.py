"""The table of faults names tests that exist, every fault once, and no more gaps than are known."""

import ast
import re
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "reference" / "faults.md").read_text()

GAPS = {"J12", "R09"}
"""Faults that no test produces. A new one has to be put here by hand; whoever writes the test takes it out."""


def rows() -> list[tuple[str, str, str, str]]:
    found = []
    for line in PAGE.splitlines():
        if re.match(r"\| [A-Z]\d\d \|", line):
            number, fault, does, tests = (cell.strip() for cell in line.strip("|").split(" | "))
            found.append((number, fault, does, tests))
    return found


@cache
def tree(file: Path) -> ast.Module:
    return ast.parse(file.read_text())


def functions(body: list[ast.stmt]) -> set[str]:
    return {statement.name for statement in body if isinstance(statement, ast.FunctionDef)}


def classes(file: Path) -> dict[str, ast.ClassDef]:
    return {statement.name: statement for statement in tree(file).body if isinstance(statement, ast.ClassDef)}


def imported_from(file: Path) -> dict[str, Path]:
    """For each name that is imported from a module of the checkout, the module's file."""
    return {
        alias.name: path
        for statement in tree(file).body
        if isinstance(statement, ast.ImportFrom) and statement.module
        for alias in statement.names
        if (path := ROOT / f"{statement.module.replace('.', '/')}.py").is_file()
    }


def methods(file: Path, name: str) -> set[str]:
    """The methods of a class and of those it inherits from, as far as they are in this checkout."""
    if name not in classes(file):
        origin = imported_from(file).get(name)
        return methods(origin, name) if origin else set()
    one = classes(file)[name]
    bases = [base.id for base in one.bases if isinstance(base, ast.Name)]
    return functions(one.body).union(*(methods(file, base) for base in bases))


def is_there(test: str) -> bool:
    path, *names = test.split("::")
    file = ROOT / path
    if not path.startswith("tests/") or not file.is_file():
        return False
    if len(names) == 1:
        return names[0] in functions(tree(file).body)
    return len(names) == 2 and names[1] in methods(file, names[0])


def test_every_test_that_is_named_exists() -> None:
    named = [test for row in rows() for test in re.findall(r"`([^`]+)`", row[3])]
    assert named
    assert [test for test in named if not is_there(test)] == []


def test_the_tests_of_each_backend_exist() -> None:
    found = re.findall(r"^\| ([A-Z]\d\d) on (\w+) \| (.*) \|$", PAGE, re.MULTILINE)
    assert {backend for _, backend, _ in found} == {"etcd", "ZooKeeper", "embedded"}
    assert len({(number, backend) for number, backend, _ in found}) == len(found)
    assert {number for number, _, _ in found} <= {row[0] for row in rows()}
    assert [test for *_, cell in found for test in re.findall(r"`([^`]+)`", cell) if not is_there(test)] == []


def test_each_fault_of_the_catalog_has_tests_for_each_backend_or_a_reason() -> None:
    sections = re.findall(r"^### On (.*?)\n(.*?)(?=^##)", PAGE, re.MULTILINE | re.DOTALL)
    assert len(sections) == 3
    for backend, section in sections:
        text = re.sub(
            r"C(\d\d) to C(\d\d)",
            lambda one: " ".join(f"C{n:02}" for n in range(int(one[1]), int(one[2]) + 1)),
            section,
        )
        missing = {row[0] for row in rows() if row[0].startswith("C")} - set(re.findall(r"\bC\d\d\b", text))
        assert missing == set(), backend


def test_every_row_has_one_to_four_tests_or_says_that_there_is_none_yet() -> None:
    for number, _, _, cell in rows():
        tests = cell.split("<br>")
        assert cell == "none yet" or 1 <= len(tests) <= 4, number
        assert cell == "none yet" or all(re.fullmatch(r"`tests/\w+/test_\w+\.py(::\w+)+`", one) for one in tests), (
            number
        )
        assert len(set(tests)) == len(tests), number


def test_the_gaps_are_those_that_are_known() -> None:
    assert {row[0] for row in rows() if row[3] == "none yet"} == GAPS


def test_every_fault_stands_once_and_none_is_left_out() -> None:
    ids = [row[0] for row in rows()]
    assert len(ids) == len(set(ids))
    for letter in sorted({number[0] for number in ids}):
        numbers = [int(number[1:]) for number in ids if number[0] == letter]
        assert numbers == list(range(1, len(numbers) + 1)), letter


def test_a_name_that_is_not_there_is_noticed() -> None:
    here = "tests/docs/test_faults_table.py"
    assert is_there(f"{here}::test_a_name_that_is_not_there_is_noticed")
    assert not is_there(f"{here}::test_that_nobody_wrote")
    assert not is_there("tests/docs/test_nothing.py::test_x")
    suite = "tests/integration/test_consul_conformance.py::TestConsul"
    assert is_there(f"{suite}::test_registering_again_replaces")
    assert not is_there(f"{suite}::test_that_nobody_wrote")
