"""A reload with one changed job of many: how long, what stays, how long nobody else is answered; beside supervisord.

    python benchmarks/reload.py [--jobs 10 1000] [--runs 7] [--no-supervisord]

Times are medians over the runs: of `corepilot check` of the file, and of `corepilot reload`, which ends when the
changed job has come up again; that alone takes 100 ms, during which it is seen to run. The gap is how much longer than
usual the slowest ping took during a reload: pings are sent one after the other, each on a connection of its own; "at
rest" is the same without a reload: what the machine's other work adds. The processor's time is the supervisor's own.
supervisord's `supervisorctl update` does the same with as many programs; it returns when the changed one is spawned.
"""

import argparse
import os
import socket
import statistics
import subprocess
import tempfile
import threading
import time
from pathlib import Path
from typing import Self

from boot import install_supervisord
from measuring import COREPILOT, Running, running

PING = b"GET /v1/ping HTTP/1.0\r\n\r\n"


def configuration(count: int, changed: int) -> str:
    jobs = ",\n".join(
        f'  {{name: "job-{number}", exec: ["sleep", "{1000 + (changed if number == count // 2 else 0)}"]}}'
        for number in range(count)
    )
    head = 'consul: false, control: {socket: "DIR/control.socket"}, logging: {level: "error"}'
    return f"{{{head}, jobs: [\n{jobs}\n]}}"


def timed(command: list[str]) -> float:
    begun = time.perf_counter()
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    if answer.returncode:
        raise SystemExit(f"{' '.join(command)}: {answer.returncode}\n{answer.stdout}{answer.stderr}")
    return (time.perf_counter() - begun) * 1000


def processor_ms(pid: int) -> float:
    """What a process's main thread has used of a processor so far."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e6


class Pings:
    """Asks all the time, in a thread."""

    def __init__(self, path: Path) -> None:
        self._path = str(path)
        self._times: list[float] = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._ask)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def clear(self) -> None:
        """Forget the pings so far."""
        self._times.clear()

    @property
    def gap_ms(self) -> float:
        """The slowest answer's delay, beyond the usual."""
        return max(self._times) - statistics.median(self._times)

    def _ask(self) -> None:
        while not self._over.is_set():
            begun = time.perf_counter()
            with socket.socket(socket.AF_UNIX) as sock:
                sock.settimeout(60)
                sock.connect(self._path)
                sock.sendall(PING)
                while sock.recv(4096):
                    pass
            self._times.append((time.perf_counter() - begun) * 1000)
            time.sleep(0.001)


def pids(one: Running) -> dict[str, object]:
    return {name: job["pid"] for name, job in one.jobs().items()}


def corepilot(count: int, runs: int) -> dict[str, float]:
    checks, reloads, gaps, rests, used = [], [], [], [], []
    kept = count
    with running(configuration(count, 0)) as one:
        one.until(lambda: all(pids(one).values()))
        where = ["--socket", str(one.path / "control.socket")]
        for run in range(1, runs + 1):
            one.config.write_text(configuration(count, run).replace("DIR", str(one.path)))
            before = pids(one)
            checks.append(timed([*COREPILOT, "check", "-c", str(one.config)]))
            begun_ms = processor_ms(one.supervisor)
            reloads.append(timed([*COREPILOT, "reload", *where]))
            used.append(processor_ms(one.supervisor) - begun_ms)
            after = pids(one)
            kept = min(kept, sum(after[name] == pid for name, pid in before.items()))
        for run in range(runs + 1, 2 * runs + 1):  # apart from the times: pings take the processor as well
            one.config.write_text(configuration(count, run).replace("DIR", str(one.path)))
            with Pings(one.path / "control.socket") as pings:
                time.sleep(0.3)
                rests.append(pings.gap_ms)
                pings.clear()
                timed([*COREPILOT, "reload", *where])
                gaps.append(pings.gap_ms)
    return {
        "check": statistics.median(checks),
        "reload": statistics.median(reloads),
        "kept": kept,
        "processor": statistics.median(used),
        "rest": statistics.median(rests),
        "gap": statistics.median(gaps),
        "worst gap": max(gaps),
    }


def supervisord(count: int, runs: int, program: str) -> float:
    with tempfile.TemporaryDirectory(prefix="corepilot-bench-") as folder:
        config = Path(folder) / "supervisord.conf"

        def write(changed: int) -> None:
            programs = "".join(
                f"[program:job-{number}]\ncommand=sleep {1000 + (changed if number == count // 2 else 0)}\n"
                f"startsecs=0\nstdout_logfile=NONE\nstderr_logfile=NONE\n"
                for number in range(count)
            )
            config.write_text(
                f"[supervisord]\nnodaemon=true\nlogfile=/dev/null\nlogfile_maxbytes=0\npidfile={folder}/pid\n"
                f"minfds=10000\nuser={os.getuid()}\n[unix_http_server]\nfile={folder}/socket\n"
                "[rpcinterface:supervisor]\n"
                "supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface\n"
                f"[supervisorctl]\nserverurl=unix://{folder}/socket\n{programs}"
            )

        write(0)
        control = [str(Path(program).with_name("supervisorctl")), "-c", str(config)]
        process = subprocess.Popen([program, "-c", str(config)], stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT)
        try:
            deadline = time.monotonic() + 120
            while True:
                status = subprocess.run([*control, "status"], capture_output=True, text=True, check=False).stdout
                if status.count("RUNNING") == count:
                    break
                if time.monotonic() > deadline:
                    raise SystemExit(f"supervisord started {status.count('RUNNING')} of {count} programs")
                time.sleep(0.2)
            times = []
            for run in range(1, runs + 1):
                write(run)
                times.append(timed([*control, "update"]))
            return statistics.median(times)
        finally:
            process.terminate()
            process.wait(60)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, nargs="+", default=[10, 1000], metavar="COUNT")
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--no-supervisord", action="store_true")
    arguments = parser.parse_args()
    program = "" if arguments.no_supervisord else install_supervisord()
    print(
        f"{'jobs':>6}{'check, ms':>11}{'reload, ms':>12}{'ratio':>7}{'pids kept':>11}{'gap, ms':>9}{'worst':>7}"
        f"{'at rest':>9}{'processor, ms':>15}"
        f"{'supervisorctl update, ms':>26}"
    )
    for count in arguments.jobs:
        row = corepilot(count, arguments.runs)
        peer = f"{supervisord(count, arguments.runs, program):.0f}" if program else ""
        print(
            f"{count:>6}{row['check']:>11.0f}{row['reload']:>12.0f}{row['reload'] / row['check']:>7.2f}"
            f"{row['kept']:>11.0f}{row['gap']:>9.1f}{row['worst gap']:>7.1f}"
            f"{row['rest']:>9.1f}{row['processor']:>15.0f}"
            f"{peer:>26}",
            flush=True,
        )


if __name__ == "__main__":
    main()
