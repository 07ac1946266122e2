"""A backend whose client blocks passes the suite that the others pass, and one that breaks a rule is caught."""

import subprocess
import sys
from pathlib import Path

import pytest
from broken_backends import blocking
from broken_backends.blocking import BlockingBackend, Shelf

from corepilot.discovery.backend import Backend
from corepilot.testing.backends import BackendSuite, LossSuite, context

TESTS = Path(__file__).resolve().parents[1]

# In a process of its own, because some leave threads behind.
PROGRAM = """
import sys
sys.path[:0] = sys.argv[1:3]
from broken_backends.blocking import BROKEN
from test_threaded_conformance import TestBlocking
kind = next(kind for kind in BROKEN if kind.__name__ == sys.argv[3])
suites = TestBlocking()
suites.kind = kind
suites.prepare()
suites.setup_method()
try:
    getattr(suites, f"test_{BROKEN[kind][0]}")()
except AssertionError as error:
    print(error, flush=True)
finally:
    suites.teardown_method()
"""


class TestBlocking(BackendSuite, LossSuite):
    kind: type[Backend] = BlockingBackend

    @pytest.fixture(autouse=True)
    def _shelf(self) -> None:
        self.prepare()

    def prepare(self) -> None:
        self.shelf = Shelf()

    def client(self) -> Backend:
        return self.kind(self.shelf, context())

    def forget(self) -> None:
        self.shelf.forget()


@pytest.mark.parametrize("kind", blocking.BROKEN, ids=lambda kind: kind.__name__)
def test_one_that_breaks_a_rule_is_caught(kind: type[Backend]) -> None:
    command = [sys.executable, "-c", PROGRAM, str(TESTS), str(TESTS / "unit"), kind.__name__]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert blocking.BROKEN[kind][1] in result.stdout, result.stderr
