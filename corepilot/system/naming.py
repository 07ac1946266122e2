"""What our processes are called.

`ps`, `pgrep` and `pkill` look at the kernel's name (proc_pid_comm(5)), `pidof` and the listings of `ps` and `top` at
the command line (proc_pid_cmdline(5)). A fork keeps both, and an exec takes them away: of a Python it makes `python3`,
and `python3 -I -c …`. The kernel's name is cut at 15 bytes.
"""

import os
import sys


def name_process(name: str) -> None:
    """Call this process so, with the words that it was given. Where the kernel refuses, it keeps its name."""
    _write("/proc/self/comm", name.encode())
    _name_command_line(name)


def name_as_parent() -> None:
    """Call this process as its parent is called, in the kernel's words."""
    try:
        with open(f"/proc/{os.getppid()}/comm", "rb", 0) as file:
            name = file.read().strip()
    except OSError:
        return
    _write("/proc/self/comm", name)


def _name_command_line(name: str) -> None:
    """Begin the command line with the name, in the place of the interpreter, its options and its program.

    It is memory of ours: the kernel tells where (proc_pid_stat(5), arg_start). Written is only what is seen to be the
    words that we were started with, and no more than was there: what follows is the environment.
    """
    words = [os.fsencode(word) for word in sys.argv[1:]]
    try:
        with open("/proc/self/stat", "rb", 0) as file:
            fields = file.read().rpartition(b")")[2].split()
        with open("/proc/self/cmdline", "rb", 0) as file:
            line = file.read()
        start = int(fields[_ARG_START])
    except (OSError, ValueError, IndexError):
        return
    new = b"\0".join([name.encode(), *words]) + b"\0"
    ours = b"\0".join([os.fsencode(word) for word in sys.orig_argv[1:]]) + b"\0"
    if start and line.endswith(b"\0" + ours) and len(new) <= len(line):
        _write("/proc/self/mem", new.ljust(len(line), b"\0"), start)


_ARG_START = 48 - 3
"""Where `arg_start` is among the fields after the name; they are counted from 1, and two come before it."""


def _write(path: str, data: bytes, offset: int = 0) -> None:
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    except OSError:
        return
    try:
        if offset:
            os.lseek(fd, offset, os.SEEK_SET)
        os.write(fd, data)
    except OSError:
        return
    finally:
        os.close(fd)
