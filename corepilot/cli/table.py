"""Every command and option, once: the parser, `--help` and the reference page are made of this table."""

from __future__ import annotations

from corepilot.cli.arguments import Command, Option

TYPE_CHECKING = False  # what typing.TYPE_CHECKING is to a type checker, without importing typing
if TYPE_CHECKING:
    from collections.abc import Iterable

CONFIG = Option(
    ("-c", "--config"), "config", "LOCATION",
    "the configuration: a file, a directory, env:NAME or a URL (else $COREPILOT, $CONTAINERPILOT, /etc/…)",
    repeated=True,
)  # fmt: skip
SOCKET = Option(("--socket",), "socket", "PATH", "the control socket of a running corepilot")
OUTPUT = Option(("-o", "--output"), "output", "FORMAT", "text or json", choices=("text", "json"))
DISCOVERY = Option(("--discovery",), "discovery", "NAME[:KEY=VALUE]", "use this catalog instead of the file's, or none")
ENV_FILE = Option(("--env-file",), "env_file", "FILE", "set variables from a file of NAME=VALUE lines", repeated=True)
ENV = Option(("-e", "--env"), "env", "NAME=VALUE", "set a variable", repeated=True)
STRICT = Option(("--strict",), "strict", "", "refuse duplicate keys as well")
MIGRATED = Option(("-o", "--output"), "output", "FORMAT|FILE", "text or json, or a file for what version 2 becomes")
JSON = Option(("--json",), "json", "", "the same as -o json, beside -o FILE")
EVERY = Option(("--all",), "every", "", "tell of all differences, also of those that no file can rely on")
HERE = Option(("--here",), "here", "", "judge as `run` does on this machine")
CACHE = Option(
    ("--cache",), "cache", "", "judge as `run` does on this machine, and keep the result for the next starts"
)
ANEW = Option(("--all",), "every", "", "restart every job, also those that did not change")
GROUP = Option(("--group",), "group", "", "signal the whole process group of each job, not only its main process")
LOAD = Option(("--load",), "load", "", "list: load each plugin, in a process of its own, and say what that shows")
DIRECTORY = Option(("--directory",), "directory", "DIR", "new: where to write it; the working directory is the default")
INIT = (
    Option(("--run",), "run", "COMMAND", "what to run, such as 'node server.js'; without it you are asked"),
    Option(("--port",), "port", "PORT", "the port that it listens on, or none"),
    Option(("--catalog",), "catalog", "CATALOG[=ADDRESS]", "embedded, consul, etcd, zookeeper or none"),
    Option(("--name",), "name", "NAME", "the name of the job; else that of the directory"),
    Option(("--directory",), "directory", "DIR", "where to write; the working directory is the default"),
)
NO_WAIT = Option(("--no-wait",), "no_wait", "", "do not wait until it is done")
TIMEOUT = Option(
    ("--timeout",), "timeout", "DURATION", "wait at most this long, such as 30s; then the status is 4, and it goes on"
)
FOR = Option(
    ("--for",), "condition", "STATE", "running, ready, healthy, complete or stopped",
    choices=("running", "ready", "healthy", "complete", "stopped"),
)  # fmt: skip
NONBLOCK = Option(("-n", "--nonblock"), "nonblock", "", "do not wait for the lock")
LOCK_TIMEOUT = Option(("-w", "--timeout"), "timeout", "DURATION", "wait for the lock at most this long, such as 30s")
CLIENT = (CONFIG, SOCKET)
LIVE = Option(("--live",), "live", "", "ask whether corepilot answers; of jobs, whether they run")
READY = Option(("--ready",), "ready", "", "ask whether the container can be given work; that is the default")
FOLLOW = Option(("-f", "--follow"), "follow", "", "go on with what comes, until corepilot ends")
LAST = Option(("-n", "--lines"), "last", "NUMBER", "show the last so many only")
SINCE = Option(("--since",), "since", "TIME", "show what is newer only: 10m, or 2026-03-01T12:00:00Z")
TAIL = (*CLIENT, OUTPUT, FOLLOW, LAST, SINCE)
WAITING = (*CLIENT, OUTPUT, NO_WAIT, TIMEOUT)

MOST_JOBS = 256
"""As many names as one request may have."""

COMMANDS = {
    command.name: command
    for command in (
        Command(
            "run", "supervise the jobs of a configuration (the default)", "", 0, 0, (CONFIG, DISCOVERY),
            "",
        ),
        Command(
            "init", "ask three questions; write a configuration, a Dockerfile, a walk", "", 0, 0, INIT,
            "corepilot.cli.init:init",
        ),
        Command(
            "check", "say whether configurations are good, with every error at once", "FILE…", 0, 1000,
            (CONFIG, OUTPUT, HERE, STRICT, CACHE, DISCOVERY, ENV_FILE, ENV), "corepilot.cli.check:check",
        ),
        Command(
            "render", "print a configuration after its template was carried out", "FILE", 0, 1,
            (CONFIG, ENV_FILE, ENV), "corepilot.cli.check:render",
        ),
        Command(
            "migrate", "compare with ContainerPilot 3, or turn version 2 into version 3",
            "FILE… [-- COMMAND ARGS…]", 1, 1000, (MIGRATED, JSON, EVERY, ENV_FILE, ENV),
            "corepilot.migrate.command:migrate",
        ),
        Command(
            "plan", "show what a reload would do, and why", "[LOCATION…]", 0, 100, (*CLIENT, OUTPUT),
            "corepilot.cli.plan:plan",
        ),
        Command(
            "reload", "take the configuration into use as it is now", "", 0, 0, (*WAITING, ANEW),
            "corepilot.cli.jobs:reload",
        ),
        Command(
            "status", "show jobs, services and watches, or some jobs", "[JOB…]", 0, MOST_JOBS, (*CLIENT, OUTPUT),
            "corepilot.cli.status:status",
        ),
        Command(
            "logs", "show the last lines of jobs, and follow them", "[JOB…]", 0, MOST_JOBS, TAIL,
            "corepilot.cli.tails:logs",
        ),
        Command(
            "events", "show the last events, and follow them", "", 0, 0, TAIL, "corepilot.cli.tails:events",
        ),
        Command(
            "catalog", "show the services in the catalogs, or one with its instances", "[SERVICE]", 0, 1,
            (CONFIG, OUTPUT, DISCOVERY), "corepilot.cli.catalog:catalog",
        ),
        Command(
            "lock", "run a command under a lock of the catalog; 75: not acquired",
            "NAME -- COMMAND ARGS…", 1, 1000, (CONFIG, DISCOVERY, NONBLOCK, LOCK_TIMEOUT),
            "corepilot.cli.lock:lock",
        ),
        Command(
            "start", "run jobs now, whatever their `when` says", "JOB…", 1, MOST_JOBS, WAITING,
            "corepilot.cli.jobs:start",
        ),
        Command(
            "stop", "stop jobs, which then stay stopped until they are started", "JOB…", 1, MOST_JOBS, WAITING,
            "corepilot.cli.jobs:stop", "; to stop everything: corepilot shutdown",
        ),
        Command(
            "restart", "stop jobs and run them again", "JOB…", 1, MOST_JOBS, WAITING,
            "corepilot.cli.jobs:restart",
        ),
        Command(
            "reload-job", "have jobs read their own configuration again: their `reload`", "JOB…", 1, MOST_JOBS, WAITING,
            "corepilot.cli.jobs:reload_job",
        ),
        Command(
            "signal", "send jobs a signal", "SIGNAL JOB…", 2, 1 + MOST_JOBS, (*CLIENT, OUTPUT, GROUP),
            "corepilot.cli.jobs:signal",
        ),
        Command(
            "wait", "wait until jobs are in a state", "JOB…", 1, MOST_JOBS, (*CLIENT, FOR, OUTPUT, TIMEOUT),
            "corepilot.cli.jobs:wait",
        ),
        Command(
            "shutdown", "stop everything, as SIGTERM does", "", 0, 0, CLIENT,
            "corepilot.cli.commands:shutdown",
        ),
        Command(
            "debug", "show what a running corepilot is doing: its stacks", "stacks", 1, 1, CLIENT,
            "corepilot.cli.commands:debug",
        ),
        Command(
            "health", "say whether the container is live or ready, for probes: 0 or 1", "[JOB…]", 0, MOST_JOBS,
            (*CLIENT, LIVE, READY), "corepilot.cli.commands:health",
        ),
        Command("ping", "say whether corepilot answers", "", 0, 0, CLIENT, "corepilot.cli.commands:ping"),
        Command(
            "instances", "show the instances of a watched service", "SERVICE", 1, 1, (*CLIENT, OUTPUT),
            "corepilot.cli.commands:instances",
        ),
        Command(
            "maintenance", "leave the catalog, or come back: enable, disable", "enable|disable", 1, 1, CLIENT,
            "corepilot.cli.commands:maintenance",
        ),
        Command(
            "env", "set variables for commands started from now on", "NAME=VALUE…", 1, 256, CLIENT,
            "corepilot.cli.commands:env",
        ),
        Command(
            "metric", "record values of declared metrics", "NAME=VALUE…", 1, 256, CLIENT,
            "corepilot.cli.commands:metric",
        ),
        Command(
            "plugins", "list, describe, verify or write plugins: list, info, verify, new",
            "list|info NAME|verify [NAME…]|new KIND NAME", 1, 100, (CONFIG, OUTPUT, LOAD, DIRECTORY),
            "corepilot.cli.commands:plugins",
        ),
    )
}  # fmt: skip


TOGETHER = {
    "check": ("check, render", "judge configurations, every error at once; print one"),
    "start": ("start, stop, restart, reload-job", "control single jobs"),
    "signal": ("signal, wait", "send jobs a signal; wait until they are in a state"),
    "status": ("status, logs, events", "show jobs, services, watches; last lines; last events"),
    "health": ("health, ping, debug", "live or ready, for probes; does it answer; its stacks"),
    "env": ("env, metric", "set variables for new commands; record values of metrics"),
}
"""Commands that share a line of the overview: what it says, by the first of them."""

_ELSEWHERE = ("run", "render", "stop", "restart", "reload-job", "wait", "metric", "logs", "events", "ping", "debug")


def overview(plugins: Iterable[tuple[str, str]] = ()) -> str:
    """What `corepilot --help` prints: one screen.

    Args:
        plugins: The commands of plugins: their names, and the distributions that bring them.
    """
    rows = [TOGETHER.get(name, (name, command.summary)) for name, command in COMMANDS.items() if name not in _ELSEWHERE]
    lines = [
        "usage: corepilot [run] [-c LOCATION]…  supervise the jobs of a configuration",
        "       corepilot -- COMMAND ARGS…      supervise one command, as a minimal init",
        "       corepilot COMMAND …             one of:",
        "",
        *(f"  {names:<11}  {summary}" for names, summary in rows),
        *(f"  {name:<11}  (from {distribution})" for name, distribution in plugins),
        "",
        "corepilot COMMAND --help shows a command's options; --version the version.",
        "Configuration: -c LOCATION (a file, directory or URL; repeatable), $COREPILOT,",
        "$CONTAINERPILOT, /etc/{corepilot,containerpilot}.json5, or ./corepilot.json5.",
    ]
    return "\n".join(lines) + "\n"


def usage(command: Command) -> str:
    """What `corepilot COMMAND --help` prints."""
    words = ["usage: corepilot", command.name, *(["[OPTIONS]"] if command.options else []), command.positionals]
    lines = [" ".join(filter(None, words)), "", command.summary, ""]
    for option in command.options:
        names = ", ".join(option.names) + (f" {option.value}" if option.value else "")
        lines.append(f"  {names:<34}{option.help}")
    return "\n".join(lines) + "\n"
