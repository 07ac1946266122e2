"""The settings of `jobs` that say what its processes are started with, and how they are stopped.

`rules.process_settings` judges what needs a machine.
"""

from typing import Any

from corepilot.config.diagnostics.complaints import Complaint
from corepilot.config.schema.fields import Choice, Duration, Flag, Several, Text, Whole
from corepilot.config.schema.process_fields import Listen, Mask, Names, Reload, Shell, SignalName, Stdin, Variables
from corepilot.config.schema.sections import Object, Section
from corepilot.model.command import Listener
from corepilot.model.value import names_of


class Limits(Object):
    """The object of `jobs[].limits`, whose settings are made for the first file that has some."""

    def __init__(self, help: str, **settings: Any) -> None:  # noqa: A002  - as in Setting
        super().__init__(help, Section, **settings)

    @property
    def section(self) -> Section:
        """The settings."""
        from corepilot.config.schema.limits import LimitsSection

        if type(self._section) is not LimitsSection:
            self._section = LimitsSection()
        return self._section


class ProcessSection(Section):
    """What processes are started with, and how they are stopped."""

    env = Variables(
        'variables of the job\'s environment; `null` removes one, and `"*": null` all that corepilot was started with',
        default_text="none",
        allowed="also an array of `NAME=value`",
        example='{ PORT: "8080", DEBUG: null }',
        derives=("command.settings.environment", "command.settings.inherit"),
    )
    env_file = Several(
        "files of variables, read at each start, the later ones first; `env` wins over them; one that begins with `-` "
        "may be missing",
        key="envFile",
        default_text="none",
        example='["/etc/app.env", "-/run/app.env"]',
        fills="command.settings.environment_files",
    )
    cwd = Text(
        "working directory; a program with a slash in its name is looked for from there",
        default_text="corepilot's own",
        allowed="a relative path begins at corepilot's own",
        example="/srv/app",
        fills="command.settings.cwd",
    )
    user = Text(
        "user that it runs as; HOME, USER, LOGNAME and SHELL are that user's",
        default_text="corepilot's own",
        allowed="a name or a number; also `user:group`",
        example="www-data",
        derives=("command.settings.user",),
    )
    group = Text(
        "group that it runs as",
        default_text="the user's first group; of a number without a name, the group of that number",
        allowed="a name or a number",
        example="www-data",
        derives=("command.settings.group",),
    )
    groups = Names(
        "further groups, beside those that the group file gives the user",
        default_text="none",
        example='["adm", 1000]',
        fills="command.settings.groups",
    )
    umask = Mask(
        "file mode creation mask",
        default_text="corepilot's own",
        example='"027"',
        fills="command.settings.umask",
    )
    limits = Limits(
        "resource limits (setrlimit(2))",
        default_text="as corepilot's",
        derives=("command.settings.limits",),
    )
    nice = Whole(
        "nice value: the higher, the less processor time",
        minimum=-20,
        maximum=19,
        default_text="as corepilot's",
        example="10",
        fills="command.settings.nice",
    )
    oom_score_adj = Whole(
        "how likely it is to be killed when memory runs out (proc_pid_oom_score_adj(5))",
        key="oomScoreAdj",
        minimum=-1000,
        maximum=1000,
        default_text="100 more than corepilot's",
        fills="command.settings.oom_score_adj",
    )
    autostart = Flag(
        "whether it is started by what `when` says; if not, it waits until a person starts it: `corepilot start`",
        default=True,
    )
    replicas = Whole(
        "how many of it run side by side: the jobs `<name>@1`, `<name>@2`, …; `%i` is the number in `exec`, `env`, "
        "`envFile`, `cwd`, `stdin`, `ready.file`, files and prefix of `logging`, and checks; `%%` is `%` there",
        minimum=1,
        maximum=1000,
        default_text="none: one job with the name itself",
        example="4",
    )
    stdin = Stdin(
        "what the command has as its standard input: nothing, what the watch that started it has found, as JSON, the "
        "first socket of `listen`, as FastCGI has it, or a file",
        default_text="`null`",
        example='{ file: "/srv/input" }',
        derives=("stdin", "command.settings.stdin", "command.settings.stdin_socket"),
    )
    listen = Listen(
        "sockets that corepilot listens on and hands over as descriptors 3, 4, … (LISTEN_FDS, as systemd does); they "
        "stay while the job is restarted; of each an address, or `address`, `name`, `backlog`, `mode` and `owner`",
        default_text="none",
        example='["127.0.0.1:8080", { address: "/run/app.sock", mode: "0660" }]',
        derives=tuple([f"command.settings.listen.{one}" for one in names_of(Listener)]),
    )
    tty = Flag(
        "standard input, output and error are a terminal, whose output is logged like any other; nobody types there",
        default=False,
        fills="command.settings.tty",
    )
    cgroup = Flag(
        "it has a control group of its own, where corepilot may make one (version 2, writable): a stop finds and kills "
        "all that the job has started, whatever session or environment that has",
        default=False,
        fills="command.settings.cgroup",
    )
    shell = Shell(
        "`exec` is one text that `/bin/sh -c` runs, or another shell; so is that of a check",
        default=(),
        default_text="`false`",
        example='["bash", "-eu", "-c"]',
        derives=("command.argv",),
    )
    reload = Reload(
        "command that makes the job read its own configuration again, or the signal that does: `corepilot reload-job` "
        "asks for it, and publishes `reload`",
        default_text="none",
        example='{ signal: "HUP" }',
        derives=("reload", "reload_signal"),
    )
    reload_on = Several(
        "files of `render` and watches at whose change the job reads its own configuration again, as `reload` says: at "
        "once, or as soon as it is ready",
        key="reloadOn",
        default=(),
        default_text="nothing",
        allowed="`render.<name>` or `watch.<name>`",
        example='"render.upstreams"',
    )
    stop_signal = SignalName(
        "signal that tells it to stop",
        key="stopSignal",
        default_text="`TERM`",
        example="QUIT",
        derives=("stop.signal",),
    )
    stop_mode = Choice(
        "who gets the stop signal: the whole process group, or the main process, and the others when that has ended",
        {"group": "group", "process": "process"},
        key="stopMode",
        default_text="`group`",
        derives=("stop.mode",),
    )
    kill_timeout = Duration(
        "time between its stop signal and SIGKILL; 0 leaves it none",
        key="killTimeout",
        minimum=0,
        default_text="the top level's `stopTimeout`",
        example="30s",
        derives=("stop.timeout_s",),
    )

    def unknown_key(self, key: str) -> Complaint:
        """With what it is called here, if it is a key of another supervisor."""
        from corepilot.config.schema.other_supervisors import hint_for  # a good file needs it not

        complaint = super().unknown_key(key)
        hint = "" if key.lower() in self.meant else hint_for(key)
        if hint and not any(name.lower() == key.lower() for name in self.keys()):
            complaint.hint = hint
        return complaint
