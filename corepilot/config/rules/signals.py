"""Which further signals ask for a stop."""

import signal
from collections.abc import Sequence

from corepilot.config.diagnostics.complaints import Complaint
from corepilot.config.diagnostics.verdict import Verdict
from corepilot.model.job import Job
from corepilot.model.trigger import OnSignal
from corepilot.system.kernel import FAULTS
from corepilot.system.signal_names import signal_name, signal_number

_NEVER = FAULTS | {signal.SIGKILL, signal.SIGSTOP, signal.SIGCHLD, signal.SIGIO, signal.SIGPIPE}
"""What cannot be taken, or comes from what corepilot itself does."""

_HINT = "write names such as SIGUSR1, SIGPWR or SIGRTMIN+4"


def stop_signals_of(written: Sequence[str], jobs: Sequence[tuple[int, Job]], verdict: Verdict) -> tuple[int, ...]:
    """The numbers of `stopSignals`.

    Args:
        written: The setting.
        jobs: The jobs that can be used, each with its index in the configuration.
        verdict: Takes the complaints.
    """
    numbers = []
    started_by = {job.when.trigger.signal: index for index, job in jobs if isinstance(job.when.trigger, OnSignal)}
    for index, text in enumerate(written):
        path = ("stopSignals", index)
        try:
            number = signal_number(text)
        except ValueError:
            verdict.complain(path, Complaint("wrong-value", f"{text!r} is no signal", _HINT))
            continue
        name = f"SIG{signal_name(number)}"
        if number in _NEVER or number not in signal.valid_signals():
            verdict.complain(path, Complaint("wrong-value", f"{name} cannot ask for a stop", _HINT))
        elif name in started_by:
            rule = f"{name} starts jobs[{started_by[name]}], and can mean one thing only"
            verdict.complain(path, Complaint("wrong-value", rule, "name another signal here, or in the job's when"))
        elif number not in numbers:
            numbers.append(number)
    return tuple(numbers)
