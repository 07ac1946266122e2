"""What ends a call that takes too long, whatever the code of others does with exceptions. Imports nothing."""


class Interruption(BaseException):
    """Raised by a signal's handler or a watchdog of ours in whatever runs.

    It is for whoever has set it, and passes the handlers that are for what plugins raise.
    """
