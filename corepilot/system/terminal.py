"""Pseudo-terminals for the output of jobs. Imported only for a job that has one."""

import fcntl
import os
import struct
import termios

ROWS, COLUMNS = 24, 80
"""The size that programs find."""


def open_terminal() -> tuple[int, int]:
    """A pseudo-terminal that changes nothing: the end to read from, and the job's. Both are close-on-exec.

    Raises:
        OSError: None can be had; nothing is open.
    """
    ours, theirs = os.openpty()
    try:
        attributes = termios.tcgetattr(theirs)
        attributes[1] &= ~termios.OPOST  # no carriage returns in front of line feeds
        attributes[3] &= ~termios.ECHO
        termios.tcsetattr(theirs, termios.TCSANOW, attributes)
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    except (OSError, termios.error) as error:
        os.close(ours)
        os.close(theirs)
        number = error.args[0]
        raise OSError(number, os.strerror(number)) from None
    return ours, theirs
