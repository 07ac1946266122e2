"""Make the cases that corepilot.gotemplate is compared with Go in: templates, run through Go's own text/template.

    python tests/data/gotemplate/generate.py [--seed N] [--random N] [--go PATH] [--output FILE]

It needs a Go tool chain and builds the oracle beside this file. The cases are the tables of tables.py, the templates
in configurations/, and random ones of grammar.py; the same seed makes the same cases. The output is JSON lines: first
the list of environments, then one case a line with the template ``t``, the number of its environment ``e``, and what Go
made of it: the output ``o``, or ``x`` as hexadecimal bytes where it is not UTF-8, or ``line``, ``column`` (0: not told)
and ``phase`` of its error.
"""

from __future__ import annotations

import argparse
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE.parents[1]))

from data.gotemplate import grammar, tables  # noqa: E402  - tests/ is on the path now


def oracle(go: str, questions: list[dict[str, object]]) -> list[dict[str, object]]:
    """Build the oracle and ask it."""
    with tempfile.TemporaryDirectory() as directory:
        program = pathlib.Path(directory, "oracle")
        subprocess.run([go, "build", "-o", program, "."], cwd=HERE / "oracle", check=True)
        lines = "".join(json.dumps(question) + "\n" for question in questions)
        done = subprocess.run([program], input=lines, capture_output=True, text=True, check=True, timeout=300)
    return [json.loads(line) for line in done.stdout.split("\n") if line]


def questions(seed: int, count: int) -> list[tuple[str, int]]:
    """Return templates, each with the number of its environment; no pair twice."""
    asked: dict[tuple[str, int], None] = {}
    asked.update(dict.fromkeys(tables.templates()))
    for path in sorted((HERE / "configurations").iterdir()):
        asked[path.read_text(), tables.EMPTY] = None
        asked[path.read_text(), tables.FULL] = None
    asked.update(dict.fromkeys(grammar.templates(seed, count)))
    return list(asked)


def main() -> None:
    """Write the file."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=20)
    parser.add_argument("--random", type=int, default=2000)
    parser.add_argument("--go", default=shutil.which("go") or "/usr/local/go/bin/go")
    parser.add_argument("--output", type=pathlib.Path, default=HERE / "cases.jsonl")
    options = parser.parse_args()
    asked = questions(options.seed, options.random)
    answers = oracle(options.go, [{"t": text, "e": tables.ENVIRONMENTS[number]} for text, number in asked])
    with options.output.open("w") as out:
        out.write(json.dumps(tables.ENVIRONMENTS, ensure_ascii=False) + "\n")
        for (template, number), answer in zip(asked, answers, strict=True):
            case: dict[str, object] = {"t": template, "e": number}
            if "err" in answer:
                case.update(line=answer.get("line", 0), column=answer.get("column", 0), phase=answer["phase"])
            else:
                case.update(answer)
            out.write(json.dumps(case, ensure_ascii=False, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
