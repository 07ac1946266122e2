"""A real OCI container whose entry point, PID 1, is the corepilot under test: a bundle for `runc`, and its life.

Nothing is built or downloaded. The container's root is an almost empty folder into which the host's programs, the
Python that runs the tests and the checkout are mounted read-only; `/etc` is the container's own. Or it is an image: a
folder with what the container has, and nothing of the host's. The rest is as in a container of Docker's without a
network: namespaces, capabilities, devices, masked paths, refused system calls.

The bundle's format: OCI runtime specification, config.md and config-linux.md.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from eventually import eventually

from corepilot.testing.running import Started

CHECKOUT = Path(__file__).resolve().parents[2]
CONFIGURATION = "/etc/corepilot.json5"
DEADLINE_S = 30
STOPSIGNAL = signal.SIGTERM
# `docker run` without --cap-add and --cap-drop.
CAPABILITIES = (
    *("CAP_AUDIT_WRITE", "CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_FSETID", "CAP_KILL", "CAP_MKNOD"),
    *("CAP_NET_BIND_SERVICE", "CAP_NET_RAW", "CAP_SETFCAP", "CAP_SETGID", "CAP_SETPCAP", "CAP_SETUID"),
    "CAP_SYS_CHROOT",
)
# What Docker's profile refuses, as its documentation lists it, and what profiles older than the call do not know.
_REFUSED = (
    *("acct", "add_key", "bpf", "clock_settime", "delete_module", "finit_module", "get_mempolicy", "init_module"),
    *("ioperm", "iopl", "kcmp", "kexec_load", "keyctl", "lookup_dcookie", "mbind", "mount", "move_pages"),
    *("name_to_handle_at", "open_by_handle_at", "perf_event_open", "pivot_root", "process_vm_readv"),
    *("process_vm_writev", "ptrace", "quotactl", "reboot", "request_key", "set_mempolicy", "setns", "settimeofday"),
    *("swapoff", "swapon", "sysfs", "umount", "umount2", "unshare", "uselib", "userfaultfd", "ustat", "vm86"),
)
_UNKNOWN = ("clone3", "close_range", "io_uring_setup", "openat2", "pidfd_getfd", "pidfd_open", "pidfd_send_signal")
_MASKED = ("/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/timer_list", "/proc/sched_debug", "/sys/firmware")
_READ_ONLY = ("/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger")
_USUAL_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class Container(Started):
    """One container: entering the context starts it, leaving it ends and removes it with whatever runs there.

    Args:
        configuration: The text of /etc/corepilot.json5, where corepilot looks for it; "" for no such file.
        directory: A folder for the bundle; it need not exist.
        args: The entry point and its arguments. PATH begins with the programs of the tests' Python.
        env: Variables beside PATH and HOME. There is no locale, as in most images.
        user: User and group id of the entry point and of what is executed later. /etc/passwd knows root only.
        capabilities: The bounding set. Root has all of it, another user none.
        readonly: Root is read-only, and nothing outside /tmp and /dev can be written. If not, what is written outside
            of /tmp and /run is to be found below `root`.
        no_new_privileges: As `docker run --security-opt no-new-privileges`.
        tmp: Whether there is a tmpfs on /tmp. Without one, and with a read-only root, there is no place to write to but
            /dev/shm, which is no place for sockets.
        volumes: Folder on the host -> where it is mounted, writable.
        memory_bytes: Memory limit of the whole container; None for no limit.
        pids_max: How many processes there may be in the container; None for no limit.
        network: Path of the network namespace to join; "" for one of its own, with nothing in it but loopback.
        image: A folder that is copied to become the root; None for the host's programs. PATH is then the usual one.
        read_only: Folder on the host -> where it is mounted, not writable.
        cgroup: The container's own control group of version 2 is at /sys/fs/cgroup, writable, and it sees no more of
            the hierarchy. If not, what is there is the host's, of whatever version, to be read.
    """

    def __init__(
        self,
        configuration: str,
        directory: Path,
        *,
        args: Sequence[str] = ("corepilot",),
        env: Mapping[str, str] | None = None,
        user: int = 0,
        capabilities: Sequence[str] = CAPABILITIES,
        readonly: bool = False,
        no_new_privileges: bool = False,
        tmp: bool = True,
        volumes: Mapping[Path, str] | None = None,
        memory_bytes: int | None = None,
        pids_max: int | None = None,
        network: str = "",
        image: Path | None = None,
        read_only: Mapping[Path, str] | None = None,
        cgroup: bool = False,
    ) -> None:
        self.id = f"corepilot-{uuid.uuid4().hex[:12]}"
        self.root = directory / "root"
        self._directory = directory
        self._pid_file = directory / "pid"
        self._capabilities = tuple(capabilities)
        held = capabilities if user == 0 else ()
        given = {**({str(path): str(path) for path in _from_the_host()} if image is None else {}),
                 **{str(path): target for path, target in (read_only or {}).items()}}  # fmt: skip
        resources: dict[str, Any] = {"devices": [{"allow": False, "access": "rwm"}]}  # runc allows the usual ones
        if memory_bytes:
            resources["memory"] = {"limit": memory_bytes, "swappiness": 0}
        if pids_max:
            resources["pids"] = {"limit": pids_max}
        bundle = {
            "ociVersion": "1.0.2",
            "hostname": self.id,
            "root": {"path": str(self.root), "readonly": readonly},
            "process": {
                "args": list(args),
                "cwd": "/",
                "env": [f"{name}={value}" for name, value in _environment(env or {}, image).items()],
                "user": {"uid": user, "gid": user},
                "noNewPrivileges": no_new_privileges,
                "capabilities": {"bounding": capabilities, "effective": held, "permitted": held},
            },
            "mounts": _mounts(given, volumes or {}, readonly=readonly, tmp=tmp, cgroup=cgroup),
            "linux": {
                "namespaces": [
                    *[{"type": kind} for kind in ("pid", "mount", "uts", "ipc", *(["cgroup"] if cgroup else []))],
                    {"type": "network", **({"path": network} if network else {})},
                ],
                "maskedPaths": _MASKED,
                "readonlyPaths": _READ_ONLY,
                "resources": resources,
                "seccomp": {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [_fail(_REFUSED, 1), _fail(_UNKNOWN, 38)]},
            },
        }
        _write_root(self.root, configuration, image)
        (directory / "config.json").write_text(json.dumps(bundle, indent=1))

    def __enter__(self) -> Self:
        self._pid_file.unlink(missing_ok=True)  # of the last time: an engine starts a container again as it is
        self._log = tempfile.TemporaryFile()
        self._process = subprocess.Popen(
            [*self._runc, "run", "--bundle", str(self._directory), "--pid-file", str(self._pid_file), self.id],
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # runc would hand a Ctrl-C on; it is for pytest, which then leaves the context
        )
        try:
            eventually(lambda: self._process.poll() is not None or self._pid_file.exists(), DEADLINE_S, "a container")
            assert self._pid_file.exists(), f"cannot start a container: runc says: {self.output}"
        except BaseException:
            self._remove()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            sys.stderr.write(self.output)
        self._remove()

    def _remove(self) -> None:
        """Kill whatever is left in it, and with it go its mounts, its control groups and its state."""
        try:
            self._call("delete", "--force", self.id)
            self._process.wait(DEADLINE_S)
        finally:
            self._process.kill()  # of no effect in a runc that has ended
            self._process.wait()
            self._log.close()

    @property
    def pid(self) -> int:
        """The host's pid of PID 1."""
        return int(self._pid_file.read_text())

    def states(self) -> dict[int, str]:
        """The processes in the running container, by the pids they have there: R, S, Z and so on, proc(5)."""
        found = {}
        for entry in self._proc.iterdir():
            if entry.name.isdigit():
                try:
                    found[int(entry.name)] = (entry / "stat").read_text().rpartition(")")[2].split()[0]
                except OSError:
                    continue  # reaped meanwhile
        return found

    def children(self, pid: int = 1) -> list[int]:
        """The children of a process in the running container, all by the pids they have there."""
        return [int(word) for word in (self._proc / f"{pid}/task/{pid}/children").read_text().split()]

    @property
    def _proc(self) -> Path:
        """The container's own /proc, seen from here."""
        return Path(f"/proc/{self.pid}/root/proc")

    def signal(self, number: int) -> None:
        """Send it to PID 1 from outside, as `docker kill` does."""
        answer = self._call("kill", self.id, str(int(number)))
        assert answer.returncode == 0, answer.stderr

    def execute(self, *args: str, user: int | None = None) -> "subprocess.CompletedProcess[str]":
        """Run a program in the container, with the user and the environment of the entry point, as `docker exec` does.

        It returns when everybody has closed the program's output.

        Args:
            args: The program and its arguments.
            user: Another user and group, as `docker exec -u` takes it; root has the capabilities of the bounding set.
        """
        as_user = [] if user is None else ["--user", f"{user}:{user}"]
        held = self._capabilities if user == 0 else ()
        return self._call("exec", *as_user, *[word for one in held for word in ("--cap", one)], self.id, *args)

    def status(self) -> dict[str, Any]:
        """What `corepilot status` says in the container."""
        answer = self.execute("corepilot", "status", "-o", "json")
        assert answer.returncode == 0, answer.stderr
        found: dict[str, Any] = json.loads(answer.stdout)
        return found

    def wait(self) -> int:
        """Wait for the end of PID 1.

        Returns:
            The exit status that a container engine would show: that of PID 1, or 128 plus the signal's number.
        """
        return self._process.wait(DEADLINE_S)

    def stop(self, number: int = STOPSIGNAL, grace_s: float | None = None) -> int:
        """As `docker stop`: the stop signal, and SIGKILL after the grace period.

        Args:
            number: The image's STOPSIGNAL.
            grace_s: The grace period; None for one without end.
        """
        self.signal(number)
        try:
            return self._process.wait(DEADLINE_S if grace_s is None else grace_s)
        except subprocess.TimeoutExpired:
            if grace_s is None:
                raise
        self.signal(signal.SIGKILL)
        return self.wait()

    @property
    def _runc(self) -> list[str]:
        return ["runc", "--root", str(self._directory / "state")]

    def _call(self, *words: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [*self._runc, *words],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=DEADLINE_S,
            check=False,
        )


def _environment(more: Mapping[str, str], image: Path | None) -> dict[str, str]:
    """With the mark by which processes are found that a test leaves behind."""
    marks = {name: value for name, value in os.environ.items() if name.startswith("PYTEST_PROCESS")}
    path = _USUAL_PATH if image else f"{sys.prefix}/bin:{_USUAL_PATH}"
    return {"PATH": path, "HOME": "/", **marks, **more}


def _fail(calls: Iterable[str], number: int) -> dict[str, Any]:
    return {"names": list(calls), "action": "SCMP_ACT_ERRNO", "errnoRet": number}


def _write_root(root: Path, configuration: str, image: Path | None) -> None:
    """The folder that becomes /, with what is not mounted into it.

    runc makes the places for mounts. Where one exists, a tmpfs takes over its mode, so /tmp must not.
    """
    if image is not None:
        shutil.copytree(image, root, symlinks=True)
    for name in ("etc", "run", "var/log"):
        (root / name).mkdir(parents=True, exist_ok=True)
    (root / "var" / "run").symlink_to("/run")
    for path in _system_folders():
        if path.is_symlink() and image is None:
            (root / path.name).symlink_to(os.readlink(path))
    (root / "etc" / "passwd").write_text("root:x:0:0:root:/root:/bin/sh\n")
    (root / "etc" / "group").write_text("root:x:0:\n")
    if configuration:
        (root / CONFIGURATION.lstrip("/")).write_text(configuration)


def _mounts(
    given: Mapping[str, str], volumes: Mapping[Path, str], *, readonly: bool, tmp: bool, cgroup: bool
) -> list[dict[str, Any]]:
    """In the order in which they are made."""
    mounts = [
        _mount("proc", "/proc", "proc", "nosuid", "noexec", "nodev"),
        _mount("tmpfs", "/dev", "tmpfs", "nosuid", "strictatime", "mode=755", "size=65536k"),
        _mount("devpts", "/dev/pts", "devpts", "nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"),
        _mount("sysfs", "/sys", "sysfs", "nosuid", "noexec", "nodev", "ro"),
        _mount(
            "cgroup",
            "/sys/fs/cgroup",
            "cgroup2" if cgroup else "cgroup",
            "nosuid",
            "noexec",
            "nodev",
            "relatime",
            "rw" if cgroup else "ro",
        ),
    ]
    if tmp:
        mounts.append(_mount("tmpfs", "/tmp", "tmpfs", "nosuid", "nodev", "mode=1777"))
    if not readonly:
        mounts.append(_mount("tmpfs", "/run", "tmpfs", "nosuid", "nodev", "mode=755"))
    mounts += [_mount(path, target, "bind", "rbind", "nosuid", "nodev", "ro") for path, target in given.items()]
    mounts += [_mount(str(path), target, "bind", "rbind", "rw") for path, target in volumes.items()]
    return mounts


def _mount(source: str, target: str, kind: str, *options: str) -> dict[str, Any]:
    return {"destination": target, "type": kind, "source": source, "options": options}


def _from_the_host() -> list[Path]:
    """Everything that corepilot and its jobs run on; of a folder inside another one only the other."""
    libraries = [path for path in map(Path, ("/etc/alternatives", "/etc/ld.so.cache")) if path.exists()]
    system = [Path("/usr"), *(path for path in _system_folders() if not path.is_symlink())]
    pythons = {Path(name) for name in (sys.prefix, sys.exec_prefix, sys.base_prefix, sys.base_exec_prefix)}
    # An installation may have two names, such as python3.11 and python3.11.7, and either may be used.
    pythons |= {path.resolve() for path in pythons} | {Path(sys.executable).resolve().parents[1]}
    wanted = {*libraries, *system, *pythons, CHECKOUT}
    return sorted(path for path in wanted if not wanted & set(path.parents))


def _system_folders() -> list[Path]:
    """/bin, /sbin, /lib and its like: links into /usr where the two are merged."""
    return [path for path in sorted(Path("/").iterdir()) if path.name in {"bin", "sbin"} or path.name.startswith("lib")]
