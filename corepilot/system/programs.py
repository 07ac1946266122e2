"""Where a command's program is: the one search of PATH, for jobs, for `corepilot -- COMMAND`, and for checks of a file.

A name is looked for as shells and Go's exec.LookPath do it: the first regular file that this user may execute is the
program, and what goes wrong later (a missing interpreter, an unknown format) is this file's fault. execvp(3) would
silently try the next directory then. Imports nothing: guard, loader and supervisor use it.
"""

from __future__ import annotations

import os

NOT_EXECUTABLE = 126
NOT_FOUND = 127
"""Exit statuses of a program that cannot be started, as shells have them (POSIX, 2.8.2 of Shell Command Language)."""

DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""Where programs are looked for when the environment has no PATH: what dash and bash take then, and what Docker sets.
An empty PATH is not a missing one: it means the working directory, as in POSIX."""


class ProgramError(Exception):
    """There is no program to execute.

    Attributes:
        status: 127 if there is nothing of that name, 126 if there is something that cannot be executed.
    """

    def __init__(self, reason: str, status: int) -> None:
        super().__init__(reason)
        self.status = status


def find_program(name: str, path: str | None) -> str:
    """Find what a command executes. Looks at the file system, and changes nothing.

    Args:
        name: As in the command. With a slash it is the file itself, from the working directory; PATH does not matter.
        path: The value of PATH in the command's environment; None without one. An empty element is the working
            directory.

    Returns:
        The path of a regular file that this user may execute.

    Raises:
        ProgramError: there is none. The text is the reason alone, to be put behind "cannot start NAME: ".
    """
    if not name:
        raise ProgramError("the name of the program is empty", NOT_FOUND)
    if "\0" in name:
        raise ProgramError("the name of the program has a NUL in it", NOT_EXECUTABLE)
    if "/" in name:
        if _is_executable(name):
            return name
        raise _refusal(name)
    denied = ""
    search = DEFAULT_PATH if path is None else path
    for directory in search.split(":"):
        candidate = f"{directory or '.'}/{name}"
        if _is_executable(candidate):
            return candidate
        if not denied and _is_file(candidate):
            denied = candidate
    if denied:
        raise _refusal(denied)
    raise ProgramError(f"not found in PATH ({_shown(search)})", NOT_FOUND)


def _is_file(file: str) -> bool:
    try:
        return os.path.isfile(file)
    except ValueError:
        return False  # a NUL in PATH


def _is_executable(file: str) -> bool:
    # With the effective ids, as execve(2) does: without them access(2) leaves out our capabilities.
    return _is_file(file) and os.access(file, os.X_OK, effective_ids=True)


def _refusal(file: str) -> ProgramError:
    if os.path.isdir(file):
        return ProgramError(f"{_shown(file)} is a directory", NOT_EXECUTABLE)
    if not os.path.exists(file):
        if _is_hidden(file):
            link = f", and those of {_shown(os.path.realpath(file))}" if os.path.islink(file) else ""
            reason = f"{_shown(file)} cannot be reached by this user; look at the rights of its folders{link}"
            return ProgramError(reason, NOT_EXECUTABLE)
        if os.path.islink(file):
            return ProgramError(f"{_shown(file)} is a symbolic link to a file that does not exist", NOT_FOUND)
        return ProgramError(f"no such file: {_shown(file)}", NOT_FOUND)
    if not os.path.isfile(file):
        return ProgramError(f"{_shown(file)} is not a regular file", NOT_EXECUTABLE)
    reason = f"{_shown(file)} is not executable for this user; chmod +x it, or look at its folders' rights"
    return ProgramError(reason, NOT_EXECUTABLE)


def _is_hidden(file: str) -> bool:
    """Whether a folder that this user may not search is on the way to it, or to what it is a link to."""
    try:
        os.stat(file)
    except PermissionError:
        return True
    except OSError:
        return False
    return False


def _shown(text: str) -> str:
    """A path in a message of one line: control characters and undecodable bytes are escaped."""
    return repr(text)[1:-1]
