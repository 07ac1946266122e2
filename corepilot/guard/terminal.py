"""Job control for a wrapped command: who has the terminal's foreground, and who stops with whom.

The command is a process group of its own and, if the guard was in the foreground of the terminal on stdin, the
foreground one: Ctrl-C and window changes go to it alone and at once. When it stops (Ctrl-Z) the guard stops
with it, so that the shell above gets its prompt back; `fg` wakes the guard, which hands the terminal over again.
Stopped, it forwards nothing until SIGCONT, like every stopped job. PID 1 and a session's leader have no shell above
and never stop. Without a terminal on stdin none of this happens.

tcsetpgrp(3) from the background raises SIGTTOU, which every caller here has blocked.
"""

from __future__ import annotations

import os

from corepilot.system.kernel import signal

_STDIN = 0


class Terminal:
    """The terminal on stdin, if there is one; without one all calls do nothing."""

    def __init__(self) -> None:
        self._ours = os.getpgrp()
        self.hands_over = self._foreground() == self._ours
        self._has_shell_above = os.getpid() not in {1, os.getsid(0)}

    def give_to(self, group: int) -> None:
        """Put a process group of this session into the foreground, or leave things as they are."""
        try:
            os.tcsetpgrp(_STDIN, group)
        except OSError:
            return  # no terminal any more, or the group has gone

    def stopped(self, group: int, by: int) -> None:
        """The command has stopped: hand it the terminal it asks for, or stop with it. Returns when woken.

        Args:
            group: the command's process group.
            by: the signal that stopped it.
        """
        foreground = self._foreground()
        if foreground is None or not self._has_shell_above:
            return
        if by in {signal.SIGTTIN, signal.SIGTTOU} and foreground == self._ours:
            self.resumed(group)
            return
        # With its own group, as the terminal would have. The kernel leaves an orphaned group alone.
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTSTP})
        os.kill(0, signal.SIGTSTP)
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTSTP})

    def resumed(self, group: int) -> None:
        """The guard was woken: wake the command, in the foreground if the guard was brought there."""
        if self._foreground() == self._ours:
            self.give_to(group)
        try:
            os.killpg(group, signal.SIGCONT)
        except OSError:
            return  # it has ended

    def take_back(self, group: int) -> None:
        """The command has ended: without this, the next reader in the guard's own group would be refused."""
        foreground = self._foreground()
        if foreground is not None and (foreground == group or not _exists(foreground)):
            self.give_to(self._ours)

    def _foreground(self) -> int | None:
        try:
            return os.tcgetpgrp(_STDIN)
        except OSError:
            return None


def _exists(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
