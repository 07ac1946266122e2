"""What health checks cost: a thousand a second, each on a connection of its own, without a catalog.

    python benchmarks/checks.py [--checks 1000] [--seconds 10]

A server in a process of its own answers 200; corepilot has so many jobs, each with one check a second. What is told is
the supervisor's processor time as a share of one core, for `http` and `tcp`, beside jobs whose health asks nothing; and
how many questions the server has seen a second. The project promises 25 % for http. The unit is what two million
additions of this Python take just before and after, in processor time: about 0.12 s where nothing else runs. A machine
that is shared gives each process less for its time, and the share has to be read with it.
"""

import argparse
import json
import multiprocessing
import os
import select
import socket
import time
from multiprocessing.sharedctypes import Synchronized
from pathlib import Path

from measuring import Running, running

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 3\r\nConnection: close\r\n\r\nok\n"
ASKED = {"none": "", "tcp": "tcp: PORT,", "http": 'http: "http://127.0.0.1:PORT/health",'}
PROMISED = {"http": 25.0}
BACKLOG = 4096
TICK_S = 1 / os.sysconf("SC_CLK_TCK")


def serve(listener: socket.socket, served: "Synchronized[int]") -> None:
    """Answer each connection once, and close it."""
    listener.settimeout(0)
    epoll, connected = select.epoll(), dict[int, socket.socket]()
    epoll.register(listener.fileno(), select.EPOLLIN)
    while True:
        for descriptor, _ in epoll.poll():
            if descriptor != listener.fileno():
                one = connected.pop(descriptor)
                try:
                    if one.recv(4096):
                        one.send(ANSWER)
                except OSError:
                    pass  # the check was given up
                epoll.unregister(descriptor)
                one.close()
                served.value += 1
                continue
            while True:
                try:
                    one, _ = listener.accept()
                except BlockingIOError:
                    break
                one.settimeout(0)
                connected[one.fileno()] = one
                epoll.register(one.fileno(), select.EPOLLIN)


def used_s(pid: int) -> float:
    """Processor time of a process."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * TICK_S


def unit_s() -> float:
    """What two million additions take."""
    before, total = time.process_time(), 0
    for number in range(2_000_000):
        total += number
    return time.process_time() - before


def healths(corepilot: Running) -> dict[str, int]:
    """How many jobs there are of each health."""
    found: dict[str, int] = {}
    for job in json.loads(corepilot.request("GET", "/v1/jobs")):
        found[job["health"]] = found.get(job["health"], 0) + 1
    return found


def measure(kind: str, port: int, served: "Synchronized[int]", checks: int, seconds: float) -> None:
    """Print one row."""
    asked = ASKED[kind].replace("PORT", str(port))
    health = f"health: {{{asked} interval: 1, ttl: 30, timeout: 10}}"
    jobs = ",".join([f'{{name: "job{index}", {health}}}' for index in range(checks)])
    text = (
        f'{{control: {{socket: "DIR/control.socket"}}, logging: {{level: "error"}}, discovery: false, jobs: [{jobs}]}}'
    )
    with running(text) as corepilot:
        wanted = "unknown" if kind == "none" else "healthy"
        corepilot.until(lambda: healths(corepilot).get(wanted, 0) >= checks * 0.9, 120.0)
        units, asked_before = unit_s(), served.value
        since, before = time.monotonic(), used_s(corepilot.supervisor)
        time.sleep(seconds)
        took_s = time.monotonic() - since
        share = (used_s(corepilot.supervisor) - before) / took_s * 100
        rate = (served.value - asked_before) / took_s
        units = (units + unit_s()) / 2
    promised = f"(promised: {PROMISED[kind]:g} %)" if kind in PROMISED else ""
    each_us = share / 100 / rate * 1e6 if rate else 0.0
    print(f"{kind:5} {rate:7.0f} /s {share:6.1f} % of a core {each_us:6.0f} µs each; unit {units:.2f} s {promised}")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checks", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=10.0)
    arguments = parser.parse_args()
    listener = socket.create_server(("127.0.0.1", 0), backlog=BACKLOG)
    served: Synchronized[int] = multiprocessing.Value("i", 0)
    server = multiprocessing.Process(target=serve, args=(listener, served), daemon=True)
    server.start()
    try:
        for kind in ASKED:
            measure(kind, listener.getsockname()[1], served, arguments.checks, arguments.seconds)
    finally:
        server.kill()
        server.join()


if __name__ == "__main__":
    main()
