"""What a command is started with, and what becomes of its output."""

from __future__ import annotations

from corepilot.model.value import Value

Variables = tuple[tuple[str, str | None], ...]
"""Variables in order; None removes one."""

EVERY = "*"
"""The name that stands for all variables that corepilot was started with, where None removes them."""


class Listener(Value):
    """A listening socket that a job is handed (sd_listen_fds(3)). Those of one address are one.

    Attributes:
        host: An IP address of this machine; "" for all of them, and for a path.
        port: 1 to 65535; 0 for a path.
        path: Of a Unix socket; "" for TCP.
        name: What LISTEN_FDNAMES calls it.
        backlog: How many connections wait in the kernel.
        mode: Of the path; None for what the umask leaves.
        owner: Of the path: "user" or "user:group", names or numbers; "" for corepilot's own user and group.
    """

    host: str = ""
    port: int = 0
    path: str = ""
    name: str = ""
    backlog: int = 1024
    mode: int | None = None
    owner: str = ""

    @property
    def address(self) -> tuple[str, int, str]:
        """Where it listens."""
        return self.host, self.port, self.path

    def __str__(self) -> str:
        """As configurations write it."""
        host = f"[{self.host}]" if ":" in self.host else self.host or "*"
        return self.path or f"{host}:{self.port}"


class ProcessSettings(Value):
    """What a process is started with beside its arguments. Relative paths begin at corepilot's working directory.

    Attributes:
        environment: Variables on top of the jobs' environment, and of the files'.
        inherit: Whether the jobs' environment, what corepilot was started with, is there at all.
        environment_files: Files of variables, read at each start; one that begins with "-" may be missing.
        defaults: Variables that those of the files replace; empty without files.
        cwd: The working directory; "" for corepilot's own.
        user: A name or a number; "" for corepilot's own.
        group: A name or a number; "" for the user's first.
        groups: Names or numbers of further groups.
        umask: The file mode creation mask; None for corepilot's own.
        limits: Name of the resource, soft and hard limit; -1 for no limit.
        nice: The nice value, -20 to 19; None for corepilot's own.
        oom_score_adj: -1000 to 1000; None for a little more than corepilot's own.
        stdin: File that its standard input is read from; "" for none.
        stdin_socket: Whether its standard input is the first of `listen` (FastCGI).
        listen: Sockets that it is handed as its descriptors 3, 4, and so on.
        tty: Whether its standard input, output and error are a terminal, which is its session's.
        cgroup: Whether it runs in a control group of its own, where corepilot may make one.
    """

    environment: Variables = ()
    inherit: bool = True
    environment_files: tuple[str, ...] = ()
    defaults: Variables = ()
    cwd: str = ""
    user: str = ""
    group: str = ""
    groups: tuple[str, ...] = ()
    umask: int | None = None
    limits: tuple[tuple[str, int, int], ...] = ()
    nice: int | None = None
    oom_score_adj: int | None = None
    stdin: str = ""
    stdin_socket: bool = False
    listen: tuple[Listener, ...] = ()
    tty: bool = False
    cgroup: bool = False

    @property
    def only_variables(self) -> bool:
        """Whether there is nothing but variables that are known by now: posix_spawn needs no help then."""
        return self[2:] == _NO_SETTINGS


_NO_SETTINGS = tuple(ProcessSettings())[2:]


class OutputFile(Value):
    """A file of its own for output.

    Attributes:
        path: The file.
        max_bytes: Size at which it is renamed; 0: never.
        keep: How many renamed files are kept.
        time: Each line begins with the time at which it was read.
    """

    path: str
    max_bytes: int = 10 * 1024 * 1024
    keep: int = 5
    time: bool = False


class OutputSettings(Value):
    """What becomes of the output of a command.

    Attributes:
        separate: stdout and stderr are told apart.
        prefix: Put before each line.
        structured: Lines that are JSON objects are passed through as such in a log of JSON.
        file: Where the output goes in the place of the log, or that of stdout alone; None for the log.
        error_file: Where stderr goes instead; None for where stdout goes.
        both: What goes to a file goes to the log as well.
    """

    separate: bool = False
    prefix: str = ""
    structured: bool = False
    file: OutputFile | None = None
    error_file: OutputFile | None = None
    both: bool = False


class Command(Value):
    """A program to run.

    Attributes:
        argv: Program and arguments; at least the program.
        raw: It writes to corepilot's own stdout and stderr, and not through the log.
        settings: See `ProcessSettings`.
        output: See `OutputSettings`.
    """

    argv: tuple[str, ...]
    raw: bool = False
    settings: ProcessSettings = ProcessSettings()
    output: OutputSettings = OutputSettings()
