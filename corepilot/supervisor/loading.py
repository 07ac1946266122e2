"""Loads a configuration again while everything runs: a loader process of its own, spoken to through pipes."""

from corepilot.config.loading import loader
from corepilot.errors import InternalError
from corepilot.http.time_slice import TimeSlice, full_turn
from corepilot.supervisor.conversation import ConversationError, converse
from corepilot.system.process import Reaper

RESULT_MAX_BYTES = 32 * 1024 * 1024
"""No loader sends more: its source and its output are bounded at 4 MiB each."""


def load(request: loader.LoadRequest, reaper: Reaper, deadline_s: float) -> loader.LoadResult:
    """Load in a fresh process. Switches greenlets, never blocks; the process is gone when this returns or raises.

    Args:
        request: What to load.
        reaper: Who waits for the process.
        deadline_s: Seconds until the loader is killed.

    Returns:
        What it answered; where it did not in time, an error that says what it was waiting for.

    Raises:
        InternalError: the loader could not be started, or its answer is too long.
    """
    question = loader.encode_request(request)
    try:
        answer = converse(
            "corepilot.config.loading.loader", question, reaper, deadline_s=deadline_s, most=RESULT_MAX_BYTES
        )
    except ConversationError as error:
        raise InternalError(f"cannot load the configuration: the loader: {error}") from error
    if answer.status is None:
        return loader.unanswered(request, answer.data.partition(b"=")[0], deadline_s=deadline_s)
    result = loader.decode_result(answer.data, request, answer.status, TimeSlice().check)
    full_turn()  # what comes next may take long as well
    return result
