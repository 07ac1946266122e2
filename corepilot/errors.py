"""The one tree of exceptions, cut by who has to act.

    CorepilotError          what a caller may catch
    ├── ConfigError         the operator mends the configuration file or the command line
    ├── PluginError         the operator mends the installation
    ├── BackendError        the catalog
    │   ├── BackendUnavailableError      not reachable, or gone half-way: try again
    │   ├── BackendTimeoutError          no answer within the deadline: try again
    │   ├── BackendRefusedError          it answered no (a token, a bad request): trying again will not help
    │   ├── UnknownInstanceError         it does not know the instance: register it again
    │   └── LockLostError                the lock is not ours any more: end what it protects
    ├── ControlError        whoever uses the control socket
    │   └── UnknownJobError              there is no job of that name
    └── InternalError       us

A message says what cannot be done, where, the rule that was broken, and what to do next. It is lower case, starts
with "cannot", and never holds a secret. `code` is stable: logs, exit statuses and the control socket use it.
"""


class CorepilotError(Exception):
    """The root. `code` names the kind of error for programs; it does not change between releases."""

    code = "error"


class ConfigError(CorepilotError):
    """A configuration, or a command line, that cannot be used. Of several errors each is one of `args`."""

    code = "config"


class PluginError(CorepilotError):
    """A plugin that is missing, broken, or made for another version of corepilot."""

    code = "plugin"


class BackendError(CorepilotError):
    """Something between us and the catalog went wrong."""

    code = "backend"


class BackendUnavailableError(BackendError):
    """The catalog cannot be reached, or the connection was lost. The same call may work later.

    Args:
        message: As of every error.
        retry_after_s: Seconds for which the catalog asks not to be asked again, such as by `Retry-After`; 0 if it does
            not. Nothing is sent for so long, to stop an outage from growing, but no longer than 2 s: heartbeats have to
            get through. At a stop as well, where the time allows one more try.
    """

    code = "backend-unavailable"

    def __init__(self, *message: object, retry_after_s: float = 0.0) -> None:
        super().__init__(*message)
        self.retry_after_s = retry_after_s


class BackendTimeoutError(BackendError):
    """The catalog did not answer within the deadline. Whether it acted on the call is not known."""

    code = "backend-timeout"


class BackendRefusedError(BackendError):
    """The catalog answered, and the answer is no. The same call will be refused again."""

    code = "backend-refused"


class UnknownInstanceError(BackendError):
    """The catalog does not hold the instance a status was reported for: it has to be registered again."""

    code = "unknown-instance"


class LockLostError(BackendError):
    """The catalog says that a lock that was ours is not: whatever it protects has to end."""

    code = "lock-lost"


class ControlError(CorepilotError):
    """A control request that cannot be carried out, or a control socket that does not answer."""

    code = "control"


class UnknownJobError(ControlError):
    """A name or pattern that matches no job. Nothing was done; the message lists the known names."""

    code = "unknown-job"


class InternalError(CorepilotError):
    """A bug in corepilot. It keeps its traceback."""

    code = "internal"
