"""A start through the launcher that is disturbed at any moment of it."""

import os
import signal

import gevent
import pytest
from gevent.event import AsyncResult

from corepilot.jobs.settings import request_of
from corepilot.model.command import ProcessSettings
from corepilot.system.launching import launch
from corepilot.system.process import Reaper

MOMENTS_MS = range(0, 40, 2)
"""From before the interpreter is there until the program has been executed."""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_at_any_moment_ends_it_as_it_ends_a_program_and_nothing_is_written(number: signal.Signals) -> None:
    """Python's own handler of SIGINT would write a traceback, where the output of the job belongs."""
    loop = gevent.get_hub().loop
    reaper = Reaper(loop)
    found = []
    try:
        for moment in MOMENTS_MS:
            exited: AsyncResult[int] = AsyncResult()
            read_end, write_end = os.pipe()
            request = request_of(["/bin/sleep", "60"], dict(os.environ), ProcessSettings(cwd="/"), {}, own_output=False)
            pid, report = launch(
                request, reaper, exited.set, loop, output=write_end, errors=None, stdin=None, inherited={}
            )
            os.close(write_end)
            gevent.sleep(moment / 1000)  # the moment is what is tried, and nothing is waited for
            os.kill(pid, number)
            found.append((exited.get(timeout=30), report.finish(), os.read(read_end, 1000)))
            os.close(read_end)
    finally:
        reaper.close()
    assert found == [(128 + number, (0, ""), b"")] * len(MOMENTS_MS)
