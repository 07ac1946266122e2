"""What only explains code can be dropped; the code goes on as before."""

import subprocess
import sys

PROGRAM = f"""
import sys
sys.path[:] = {sys.path!r}
import bisect
import corepilot
before = bisect.__doc__
import fractions
from corepilot.jobs import levels, machine
from corepilot.model.job import Job
from corepilot.system import memory
assert levels.__doc__ and fractions.Fraction.__doc__ and machine.step.__annotations__ and Job.__doc__
code, said = machine.step.__code__, machine.step.__doc__
annotated = fractions.Fraction.limit_denominator.__annotations__, Job.__annotations__
memory.forget_explanations("fractions")
assert bisect.__doc__ == before, "it was loaded before"
assert levels.__doc__ is fractions.__doc__ is fractions.Fraction.__doc__ is Job.__doc__ is None
assert not machine.step.__annotations__
assert machine.step.__code__ is code and machine.step.__doc__ == said
assert (fractions.Fraction.limit_denominator.__annotations__, Job.__annotations__) == annotated
assert fractions.Fraction("0.5") == fractions.Fraction(1, 2)
memory.forget_explanations("fractions")
"""


def test_docstrings_and_annotations_go_and_code_stays() -> None:
    answer = subprocess.run(
        [sys.executable, "-I", "-c", PROGRAM], capture_output=True, text=True, timeout=60, check=False
    )
    assert answer.returncode == 0, answer.stderr
