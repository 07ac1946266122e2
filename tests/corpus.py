"""Holds real configurations against an index of how they behave: `python tests/corpus.py DIR [-v]`.

DIR has INDEX.tsv. Its columns `file`, `environment read`, `parses with empty environment` and `parses with every
variable set` are read; the last two say `ok` or `fail: REASON at line N`. Prints a table; exits with 1 if any file
behaves otherwise.
"""

import csv
import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from corepilot.config.loading.exchange import LoadRequest, LoadResult
from corepilot.config.loading.loader import collect, start

VALUES = (
    (r"PORT", "8080"),
    (r"LOG_?LEVEL", "DEBUG"),
    (r"LOG_FORMAT", "text"),
    (r"CIDR6", "fd00::/8"),
    (r"CIDR", "10.0.0.0/8"),
    (r"INTERFACES_STATIC", "static:10.0.0.1"),
    (r"INTERFACES", "eth0"),
    (r"INTERVAL|TTL|TIMEOUT", "10"),
    (r"RESTARTS", "3"),
    (r"NAME|SERVICE", "service-a"),
    (r"URL", "localhost"),
    (r"CONSUL", "consul.example"),
)
"""What a variable is set to: the first of these that its name has in it, else "value"."""


def value_of(name: str) -> str:
    """A value that a variable of this name could have."""
    return next((value for pattern, value in VALUES if re.search(pattern, name)), "value")


def load(file: Path, environment: dict[str, str]) -> LoadResult:
    """Judge a file as `corepilot check` does."""
    environment = {"PATH": "/usr/bin:/bin", **environment}
    return collect(start(LoadRequest((str(file),), environment, judge_machine=False, hostname="host")), 10)


REFUSED = {
    "TritonDataCenter__containerpilot__docs-30-configuration-examples-database-config.json5": [
        ("missing-key", 22),  # health without interval
        ("missing-key", 22),  # health without ttl
    ],
    "TritonDataCenter__containerpilot__docs-30-configuration-examples-stopping.json5": [
        ("missing-key", 13),  # health without ttl
        ("unknown-key", 16),  # tll
        ("unknown-key", 30),  # restart
    ],
}
"""Files that are JSON5, and that ContainerPilot refuses as well: code and line of each error."""

REFUSED_WHEN_EMPTY = {
    "caseywebdev__consul-lb__etc-containerpilot.json5": [
        ("bad-name", 9)
    ],  # the variable with the job's name is not set
}
"""The same with an empty environment only."""


def behaviour(expected: str, result: LoadResult, refused: list[tuple[str, int]]) -> str:
    """What is not as the index says, or "". The index counts lines of the rendered text."""
    errors = [problem for problem in result.problems if problem.is_error]
    found = [(problem.code, problem.line) for problem in errors]
    if expected == "ok":
        return "" if found == refused else "; ".join(problem.sentence() for problem in errors) or "expected errors"
    line = int(expected.rpartition(" ")[2])
    if (
        len(errors) == 1
        and errors[0].code in {"json5", "template"}
        and line in {errors[0].line, errors[0].rendered_number}
    ):
        return ""
    return f"expected an error in line {line}, got {[problem.sentence() for problem in errors] or 'none'}"


def write(line: str) -> None:
    """Print a line."""
    sys.stdout.write(line + "\n")


def main(directory: Path, *, verbose: bool) -> int:
    """Judge all files; returns the exit status."""
    with (directory / "INDEX.tsv").open(newline="", encoding="utf-8") as index:
        rows = list(csv.DictReader(index, delimiter="\t"))
    wrong = 0
    for row in rows:
        names = [name for name in row["environment read"].split(",") if name.isidentifier()]
        name = Path(row["file"]).name
        cells = []
        for column, environment in (
            ("parses with empty environment", {}),
            ("parses with every variable set", {name: value_of(name) for name in names}),
        ):
            result = load(directory / row["file"], environment)
            refused = REFUSED.get(name, [] if environment else REFUSED_WHEN_EMPTY.get(name, []))
            difference = behaviour(row[column], result, refused)
            wrong += bool(difference)
            warnings = [problem for problem in result.problems if not problem.is_error]
            verdict = "DIFFERS" if difference else "refused" if refused else row[column].partition(":")[0]
            cells.append(verdict if result.config is None else f"{verdict} ({len(warnings)} warnings)")
            if difference:
                write(f"   {column}: {difference}")
            if verbose:
                for problem in warnings if not difference and row[column] == "ok" else result.problems:
                    write("   " + problem.sentence())
        write(f"{row['file']:<100} {cells[0]:<20} {cells[1]}")
    write(f"{len(rows)} files, {wrong} differences")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), verbose="-v" in sys.argv[2:]))
