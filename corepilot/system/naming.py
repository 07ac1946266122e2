"""What the kernel calls our processes: `ps`, `pgrep` and `pkill` look at that (proc_pid_comm(5)).

A fork keeps the name, and an exec takes it away: of a Python it makes `python3`. Names are cut at 15 bytes.
"""

import os


def name_process(name: str) -> None:
    """Call this process so. Where the kernel refuses, it keeps its name."""
    _write(name.encode())


def name_as_parent() -> None:
    """Call this process as its parent is called."""
    try:
        with open(f"/proc/{os.getppid()}/comm", "rb", 0) as file:
            _write(file.read().strip())
    except OSError:
        return


def _write(name: bytes) -> None:
    try:
        fd = os.open("/proc/self/comm", os.O_WRONLY | os.O_CLOEXEC)
    except OSError:
        return
    try:
        os.write(fd, name)
    except OSError:
        return
    finally:
        os.close(fd)
