"""What corepilot costs while nothing happens: wake-ups, processor time and memory, with one job and with many.

    python benchmarks/idle.py [--jobs 100] [--seconds 10] [--against COREPILOT]

The jobs are `sleep`s without checks, and there is no catalog. A wake-up is a thread that has gone to sleep again
(voluntary context switches of all threads); the project promises none in ten seconds. Beside that, a minute after
something has happened the supervisor tidies up, once, and the guard looks once a minute whether the event loop turns.
Memory is what no other process shares. `--against` is the `corepilot` of another
environment, such as one with an older version, which is measured in turns with this one.
"""

import argparse
import os
import statistics
import time
from pathlib import Path
from typing import NamedTuple

from measuring import COREPILOT, children, footprint, running, switches

REST_S = 1.0
PROMISED = 0
TICK_S = 1 / os.sysconf("SC_CLK_TCK")


class Idle(NamedTuple):
    """What one supervisor and its guard cost.

    Attributes:
        guard: Wake-ups of the guard.
        supervisor: Wake-ups of the supervisor.
        used_s: Processor time of both while it was counted.
        uss_kib: Memory of the supervisor.
        guard_kib: Memory of the guard.
    """

    guard: int
    supervisor: int
    used_s: float
    uss_kib: int
    guard_kib: int


def used_s(pid: int) -> float:
    """Processor time of a process."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * TICK_S


def measure(program: str, jobs: int, seconds: float) -> Idle:
    """Start it, let it come to rest, and count."""
    text = ",".join([f'{{name: "job{index}", exec: "sleep 1000"}}' for index in range(jobs)])
    text = f'{{control: {{socket: "DIR/control.socket"}}, logging: {{level: "error"}}, consul: false, jobs: [{text}]}}'
    with running(text, program=[program]) as corepilot:
        corepilot.until(lambda: len(children(corepilot.supervisor)) == jobs)
        pids = corepilot.guard, corepilot.supervisor
        time.sleep(REST_S)  # what the request was for
        before, used = [switches(pid) for pid in pids], sum([used_s(pid) for pid in pids])
        time.sleep(seconds)
        guard, supervisor = [switches(pid) - count for pid, count in zip(pids, before, strict=True)]
        used = sum([used_s(pid) for pid in pids]) - used
        sizes = [footprint(pid).uss_kib for pid in pids]
    return Idle(guard, supervisor, used, sizes[1], sizes[0])


def main() -> None:
    """Measure and print medians."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--against", default="", metavar="COREPILOT")
    arguments = parser.parse_args()
    ways = [(COREPILOT[0], "")] + ([(arguments.against, ", the other")] if arguments.against else [])
    results: dict[str, list[Idle]] = {}
    for _ in range(arguments.runs):
        for jobs in (1, arguments.jobs):
            for program, title in ways:
                name = f"{jobs} job{'s' if jobs != 1 else ''}{title}"
                results.setdefault(name, []).append(measure(program, jobs, arguments.seconds))
    print(f"in {arguments.seconds:g} s (promised: {PROMISED} wake-ups)")
    print(f"{'':<24}{'guard woke':>12}{'supervisor woke':>17}{'ms of CPU':>11}{'USS, MB':>10}{'guard, MB':>11}")
    for name, rows in results.items():
        middle = Idle(*[statistics.median(column) for column in zip(*rows, strict=True)])
        memory = f"{middle.uss_kib / 1024:>10.2f}{middle.guard_kib / 1024:>11.2f}"
        print(f"{name:<24}{middle.guard:>12g}{middle.supervisor:>17g}{middle.used_s * 1000:>11.0f}{memory}")


if __name__ == "__main__":
    main()
