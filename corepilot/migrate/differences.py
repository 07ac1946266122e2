"""How corepilot differs from ContainerPilot 3, every FIX line of the contract included: each with an id that stays.

docs/reference/differences.md is this list as a table. What is not in it is as in ContainerPilot.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Difference:
    """One difference.

    Attributes:
        id: Its name for programs and people.
        sections: Where the contract speaks of it.
        old: What ContainerPilot does.
        new: What corepilot does.
        restore: The setting that brings the old way back; "" where there is none.
        decide: Whether something that worked may fail because of it, so that a person has to decide.
    """

    id: str
    sections: tuple[str, ...]
    old: str
    new: str
    restore: str = ""
    decide: bool = False


DIFFERENCES = (
    Difference(
        "client-status", ("1.1",),
        "the clients (-reload, -putenv, …) need a configuration that validates in their shell, and most ignore whether "
        "the request was refused",
        "they need the socket only (-socket PATH, or control.socket of the file), and fail with status 1 if refused",
    ),
    Difference(
        "exit-status", ("1.4",),
        "the exit status is 0 when every job has ended, whatever their statuses were, and always 0 as PID 1",
        "it is the status of the first job that failed for good and whose failure no other job handles",
        restore='exitStatus: "zero"', decide=True,
    ),
    Difference(
        "refusal-status", ("1.4",),
        "as PID 1, a configuration that is refused ends with 0",
        "it ends with 1",
    ),
    Difference(
        "template-values", ("2",),
        "{{ .NAME }} is cut at the first equals sign in the value",
        "it is the whole value",
    ),
    Difference(
        "environment-entries", ("2",),
        "an entry of the environment without an equals sign crashes it",
        "it is ignored",
    ),
    Difference(
        "own-settings", ("3.2", "3.3"),
        "a file that has settings of corepilot's own (exitOn, discovery, …), or no consul, is refused",
        "it is used, so ContainerPilot cannot load this file",
        restore="leave them out, or let the template add them where corepilot runs",
    ),
    Difference(
        "not-an-array", ("3.2",),
        "jobs and watches that are not arrays are ignored silently, and so are null elements",
        "the file is refused; null elements are skipped with a warning",
    ),
    Difference(
        "tls-verify", ("3.4",),
        "Consul's certificate is not verified unless verify or CONSUL_HTTP_SSL_VERIFY says so",
        "it is verified",
        restore="consul: { tls: { verify: false } }, the address as consul.address", decide=True,
    ),
    Difference(
        "deregister-optional", ("3.6",),
        "a job's consul block without deregisterCriticalServiceAfter is refused",
        "the key is optional, so ContainerPilot cannot load this file",
    ),
    Difference(
        "stopped-is-gone", ("4.1",),
        "stopped is published when SIGTERM is sent",
        "it is published when all of the job's process group has ended, or was killed after stopTimeout",
    ),
    Difference(
        "slow-runs", ("4.2", "4.8"),
        "a run or check that outlasts its interval blocks the job's events, and after a while everything, SIGTERM too",
        "ticks that come meanwhile count as one, and nothing else waits",
    ),
    Difference(
        "exit-detection", ("4.2",),
        "a job with a log goes on until every process that holds its output has closed it",
        "a job has ended when its own process has",
    ),
    Difference(
        "run-group", ("4.2", "4.8"),
        "what is left of a run's process group gets SIGTERM when its main process exits, and the next run starts "
        "beside it",
        "the next run waits until the group is empty; what is left after stopTimeout is killed and named in the log",
    ),
    Difference(
        "left-group", ("4.2", "4.11"),
        "a process that has left its job's process group is never signalled: it outlives the job, a reload and, "
        "unless that is PID 1, ContainerPilot",
        "it survives automatic restarts; it is ended when a person or a reload stops or restarts its job, and when "
        "corepilot ends",
    ),
    Difference(
        "restart-delay", ("4.2",),
        "restarts follow at once, thousands a second",
        "from the fourth in a row on they wait: 0.25 s, then twice as long each time up to 30 s; after a run that "
        "succeeded only until 0.1 s have passed since its start",
    ),
    Difference(
        "check-group", ("4.4",),
        "what is left of a check's process group gets SIGTERM when the check exits, and may run on",
        "the next check waits until the group is empty; what is left after stopTimeout is killed and named in the log",
    ),
    Difference(
        "check-ticks", ("4.4",),
        "the tick at which a check is killed by its timeout starts no check",
        "the next check starts as soon as the one that was killed is gone",
    ),
    Difference(
        "waits-in-vain", ("4.1", "4.8"),
        "a job that waits for an event that can no longer come keeps the container alive, and so does when: {}",
        "the log says which jobs wait in vain, they count as ended, and corepilot ends when no other job is left",
        restore='a job that goes on, such as exec: ["sleep", "infinity"]', decide=True,
    ),
    Difference(
        "report-failing", ("4.4",),
        "a check that fails is not reported: the catalog learns of it when the TTL runs out",
        "the service is critical at once",
        restore="reportFailing: false", decide=True,
    ),
    Difference(
        "maintenance", ("4.5",),
        "after maintenance a service never comes back; a restart ends maintenance for that job; jobs that had not "
        "started are checked from then on",
        "services come back; a restart changes nothing; jobs are checked when they have started",
    ),
    Difference(
        "maintenance-in-a-hook", ("4.5", "4.6"),
        "maintenance that begins while a stopping hook runs takes the service out of the catalog after the hook",
        "the service leaves the catalog at once",
    ),
    Difference(
        "hook-never-started", ("4.6",),
        "a job that waits for stopping or stopped of a name that does not exist keeps it from ever ending",
        "the job is left out at a stop",
    ),
    Difference(
        "hook-deadline", ("4.7",),
        "a stopping hook may take as long as it likes, and the job's stopTimeout has no effect",
        "the job goes on to stop after its stopTimeout, or 30 s where it has none, and so long has the hook",
        restore="jobs[].stopTimeout of the job that waits: longer than the hook ever takes", decide=True,
    ),
    Difference(
        "stop-deadline", ("4.8",),
        "stopTimeout is slept through at every stop, also when nothing runs any more",
        "it is a deadline, counted for each job from its SIGTERM: corepilot ends as soon as the processes have",
    ),
    Difference(
        "stop-without-jobs", ("4.8",),
        "without jobs, SIGTERM has no effect",
        "it ends corepilot",
    ),
    Difference(
        "stop-while-blocked", ("4.8",),
        "SIGTERM hangs while a job's events wait for a run or for Consul",
        "a stop ends in time whatever hangs",
    ),
    Difference(
        "second-signal", ("4.8",),
        "a second SIGTERM changes nothing",
        "it ends the waiting: every process that is left is killed",
    ),
    Difference(
        "reload-waits", ("4.11",),
        "at a reload old processes get SIGTERM only, and may run on beside their successors",
        "corepilot waits for them, and kills them after stopTimeout",
    ),
    Difference(
        "reload-refused", ("1.4", "4.11"),
        "a reload with a bad file ends everything with status 0",
        "it changes nothing, and the client gets the errors",
    ),
    Difference(
        "init-signals", ("4.9",),
        "as PID 1, SIGQUIT prints the stacks and ends at once, and SIGWINCH and SIGRTMIN+3 do nothing",
        "as PID 1, SIGQUIT, SIGWINCH and SIGRTMIN+3 are a stop, because images name them as their STOPSIGNAL; "
        "corepilot debug stacks prints the stacks",
    ),
    Difference(
        "process-name", ("4.10",),
        "its processes are called containerpilot, and pkill and killall find them by that name",
        "they are called corepilot, or containerpilot if that is the command they were started with",
    ),
    Difference(
        "reload-prepared", ("4.11",),
        "a reload stops everything first, and ends ContainerPilot when the new log file, port or socket cannot be had",
        "log file, port, socket and plugins are acquired first; if one cannot be had, the reload is refused",
    ),
    Difference(
        "reload-often", ("4.11",),
        "reloads in quick succession crash it and leave processes behind",
        "they run one at a time; those that wait are merged into one",
    ),
    Difference(
        "reload-watches-only", ("4.11",),
        "a reload with watches and no jobs hangs for ever",
        "it is carried out",
    ),
    Difference(
        "process-limits", ("4.2",),
        "jobs have its own limits and its own oom_score_adj",
        "jobs have the limits that corepilot was given, and an oom_score_adj 100 above corepilot's",
    ),
    Difference(
        "output-lines", ("6",),
        "a last line without line end is lost, and a line over 64 KiB ends the job's output, usually with the job",
        "the last line is logged; a line over 64 KiB is logged in parts of at most that size, and no byte is lost",
    ),
    Difference(
        "job-lines-level", ("6",),
        "with a logging level above info the output of jobs is not logged",
        "it is logged at any level: the level is for corepilot's own lines",
    ),
    Difference(
        "registered-again", ("7.2",),
        "a service that the catalog has lost is never registered again",
        "it is registered again",
    ),
    Difference(
        "somebody-elses-record", ("7.2",),
        "a heartbeat keeps alive whatever is registered under the service's id, and a stop takes it out",
        "the record is read first; one with another address or port is left alone, and named in the log",
    ),
    Difference(
        "watch-memory", ("7.4",),
        "two watches of one name with different tag or dc overwrite each other, and see changes at almost every poll",
        "each has a memory of its own",
    ),
    Difference(
        "watch-push", ("7.4",),
        "a watch asks the catalog at its interval, for the first time after one interval",
        "it looks after one interval as well (atStart: at once), and from then on it sees changes at once",
    ),
    Difference(
        "watch-interval", ("3.7",),
        "watches[].interval is required",
        "it may be left out: then the first lookup is at once",
    ),
    Difference(
        "watch-datacenter", ("3.7",),
        "dc is passed on to the catalog, whatever it is",
        "a catalog without datacenters is a load error",
    ),
    Difference(
        "interface-names", ("8",),
        "an interface whose name has other characters than letters, digits and _ is refused",
        "it can be named, so ContainerPilot cannot load this file",
    ),
    Difference(
        "no-network", ("8",),
        "a machine that has loopback addresses only is refused, if a job has a port and interfaces is not given",
        "the service is at 127.0.0.1, with a warning",
        restore='interfaces: ["eth0:inet", "inet"]',
    ),
    Difference(
        "socket-in-use", ("9.1",),
        "any file at the control socket's path is deleted at start, also the socket of a ContainerPilot that runs, "
        "which can then no longer be reached",
        "a socket on which somebody listens is never taken: where control.socket names it corepilot does not start and "
        "says which process it is, else it uses the next default place",
    ),
    Difference(
        "socket-removed", ("9.1",),
        "a control socket whose file is removed while it runs cannot be reached again",
        "it listens again at the same path within a few seconds",
    ),
    Difference(
        "metric-names", ("9.2",),
        "a metric without namespace or subsystem gets no values under its public name",
        "it gets them under its public name, and under the one with the empty parts",
    ),
    Difference(
        "metric-events", ("5", "9.2"),
        "every value that is recorded is an event on the bus",
        "it is one only while somebody receives it: the log at level debug, or a plugin that observes events",
    ),
    Difference(
        "echo-delay", ("4.2",),
        "jobs that start one another with each do so as fast as they end",
        "a start by an event that descends from an earlier run of the same job is delayed as a restart is",
    ),
    Difference(
        "start-events", ("5", "9.2"),
        "the bus says nothing of a start",
        "each start is an event started and one ready, for observers, the debug log and containerpilot_events too",
    ),
    Difference(
        "systemd-variables", ("4.2",),
        "jobs inherit NOTIFY_SOCKET, WATCHDOG_* and LISTEN_*, by which systemd means the supervisor's own process",
        "they do not",
        restore='env: { NOTIFY_SOCKET: "{{ .NOTIFY_SOCKET }}" } at a job',
    ),
    Difference(
        "counter-negative", ("9.2",),
        "a negative value for a counter is accepted, and makes the next reload or stop crash",
        "it is rejected",
    ),
)  # fmt: skip
