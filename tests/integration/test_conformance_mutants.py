"""Each way in which a plugin can break a rule is caught by the one test of the suites that names the rule."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = Path(__file__).parent / "conformance_programs" / "mutants.py"

RULES = {
    "making_one_is_fast_and_does_no_io": ("__init__ must return at once", "__init__ must not do I/O"),
    "no_call_blocks_the_hub": ("the hub must never be blocked", "errors must be those of the contract"),
    "nothing_is_left_behind": ("close must end every", "close must close every descriptor"),
    "the_process_is_left_alone": ("a plugin must leave the process alone",),
    "memory_is_bounded": ("memory must be bounded",),
    "close_returns_at_once": (
        "close must return at once", "the hub must never be blocked", "errors must be those of the contract: close",
    ),
    "close_may_be_called_again": ("errors must be those of the contract: close may raise nothing",),
    "no_secret_is_shown": ("address must not show a secret",),
}  # fmt: skip
"""What a test says when it catches something."""


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("kind", ["backend", "sink", "check", "observer"])
def test_every_mutant_is_caught_by_the_test_of_its_rule(kind: str) -> None:
    result = subprocess.run(
        [sys.executable, str(PROGRAM), kind], capture_output=True, text=True, timeout=600, check=False
    )
    assert result.returncode == 0, result.stderr
    found: dict[str, tuple[str, str]] = json.loads(result.stdout)
    assert found.pop("good")[1] == ""
    missed = {name: (test, said) for name, (test, said) in found.items() if not any(r in said for r in RULES[test])}
    assert missed == {}
    assert len(found) >= 25
