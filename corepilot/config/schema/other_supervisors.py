"""What settings of other supervisors are called here: hints for keys that are not ours. Imported where there is one.

docs/reference/settings-of-other-supervisors.md has the whole table.
"""

from collections.abc import Mapping

JOB_KEYS: Mapping[str, str] = {
    **dict.fromkeys(("command", "cmd", "run", "entrypoint"), "write exec"),
    **dict.fromkeys(("environment", "vars"), "write env"),
    **dict.fromkeys(("environmentfile", "envfiles", "dotenv"), "write envFile"),
    **dict.fromkeys(("directory", "workingdir", "workingdirectory", "workdir", "chdir", "dir"), "write cwd"),
    **dict.fromkeys(("uid", "userid", "runas", "setuid", "runasuser"), "write user"),
    **dict.fromkeys(("gid", "groupid", "setgid", "runasgroup"), "write group"),
    **dict.fromkeys(("supplementalgroups", "supplementarygroups", "groupadd"), "write groups"),
    **dict.fromkeys(("rlimits", "ulimits", "softlimit"), "write limits"),
    **dict.fromkeys(("minfds", "rlimitnofile", "limitnofile"), "write limits: { nofile: … }"),
    **dict.fromkeys(("minprocs", "rlimitnproc", "limitnproc"), "write limits: { nproc: … }"),
    **dict.fromkeys(("killsignal", "downsignal"), "write stopSignal"),
    **dict.fromkeys(
        ("stopwaitsecs", "gracefultimeout", "timeoutstopsec", "killdelay", "timeoutkill", "stopgraceperiod"),
        "write killTimeout",
    ),
    **dict.fromkeys(
        ("stopasgroup", "stopchildren", "killmode", "parentonly"),
        'the whole group gets the stop signal; stopMode: "process" tells the main process only',
    ),
    "killasgroup": "leave it out: SIGKILL always goes to the whole group",
    "shutdown": "write stopSignal, killTimeout and stopMode",
    **dict.fromkeys(("numprocs", "numprocesses", "instances", "scale"), "write replicas"),
    **dict.fromkeys(("numprocsstart", "processname"), "write replicas: the jobs are <name>@1, <name>@2, …"),
    **dict.fromkeys(("disabled", "startup", "enabled", "down"), "write autostart: false where it is not to start"),
    **dict.fromkeys(("istty", "terminal"), "write tty"),
    **dict.fromkeys(("sockets", "usesockets", "socket"), "write listen"),
    **dict.fromkeys(("autorestart", "restartpolicy", "availability", "respawn"), "write restarts"),
    **dict.fromkeys(("startretries", "maxretry", "maxrestarts"), "write restarts: { limit: … }"),
    **dict.fromkeys(("exitcodes", "successexitstatus"), "write successStatuses"),
    **dict.fromkeys(("startsecs", "warmupdelay"), 'write ready: { after: "…" }'),
    **dict.fromkeys(
        ("priority", "after", "before", "requires", "dependencies"), "write dependsOn: what it needs first"
    ),
    **dict.fromkeys(("readinessprobe", "livenessprobe", "healthcheck"), "write health"),
    **dict.fromkeys(("onsuccess", "onfailure"), "write exitOn"),
    **dict.fromkeys(("args", "arguments"), "write them into exec, as an array"),
    **dict.fromkeys(("isdaemon", "daemon", "type"), "leave it out: start the program in the foreground"),
    **dict.fromkeys(
        ("description", "summary", "namespace", "override", "singleton", "copyenv", "copypath", "sendhup"),
        "leave it out",
    ),
}
"""Keys of `jobs[]`, in small letters and without - and _."""


def hint_for(key: str) -> str:
    """What to write in the place of a key of another supervisor, or ""."""
    return JOB_KEYS.get(key.lower().replace("-", "").replace("_", ""), "")
