"""One call to a backend: with a deadline, and with every way of failing as a value."""

import gevent

from corepilot.discovery.backend import Backend
from corepilot.discovery.desired_instance import CatalogCall
from corepilot.discovery.guarded_calls import within
from corepilot.errors import BackendError, BackendTimeoutError
from corepilot.plugin.boundary import PluginFaultError
from corepilot.wording.failures import one_line_traceback

OUTPUT_BYTES = 4096
"""What is kept of a check's output, in UTF-8 (Consul keeps 4 KiB as well)."""


class CallCancelled(gevent.Timeout):
    """Raised in a call that is not worth waiting for any more. Backends let it pass, as every Timeout."""


def make_call(backend: Backend, step: CatalogCall, deadline_s: float) -> Exception | CallCancelled | None:
    """Make the call, from a greenlet that may be kept waiting.

    Args:
        backend: Whom to ask.
        step: What.
        deadline_s: Seconds that it may take.

    Returns:
        None when the catalog accepted it; BackendTimeoutError when it took too long; CallCancelled when that was raised
        here; another BackendError as the backend raised it; a PluginFaultError for a bug in the backend; a RuntimeError
        with the traceback for one of a backend that stands behind no boundary.
    """
    registration = step.registration

    def call() -> None:
        if step.kind == "register":
            backend.register(registration, step.status, step.output)
        elif step.kind == "report":
            backend.report(registration.id, step.status, step.output, step.valid_for_s)
        else:
            backend.deregister(registration.id)

    try:
        within(backend.address, f"{step.kind} {registration.id}", call, deadline_s)
    except CallCancelled as cancelled:
        return cancelled
    except gevent.Timeout as lost:  # one of the backend's own, which it has let out
        return BackendTimeoutError(f"cannot {step.kind} {registration.id}: a timeout of the backend's own, {lost}")
    except (BackendError, PluginFaultError) as error:
        return error
    except Exception as error:  # noqa: BLE001  - a bug in a plugin must not end our care for the instance
        trace = one_line_traceback(error)
        return RuntimeError(f"cannot {step.kind} {registration.id}: a bug in the backend: {trace}")
    return None


def clip(output: str) -> str:
    """The first 4 KiB of a text, in whole characters, without what has no place in UTF-8."""
    if output.isascii() and len(output) <= OUTPUT_BYTES:
        return output
    return output.encode("utf-8", "replace")[:OUTPUT_BYTES].decode("utf-8", "ignore")
