"""Catalogs that are hurt again and again: is every change seen, nothing told that is not so, and no lock held twice?

    python benchmarks/catalog_soak.py --backend etcd [--seconds 600] [--every 20] [--seed 1] [--verbose]

One process: a writer with the store at hand, which changes a service and a key; watches on both and on the key's
prefix, and a registration of their own, which reach the store through the fault proxy; three who compete for a lock,
and give it back now and then, and in some rounds another process that does and is killed or stopped. Everything is
corepilot's own: Watcher, Registrar and LockKeeper over guarded backends. Every `--every` seconds one fault; in every
second round the writer goes on meanwhile. Checked in each round:

- soon after the fault, and before its end where the store serves, the watches show what the writer wrote last, and the
  store our registration; then one more change is told, once;
- nothing is told but what was written, in the order in which it was written, and nothing twice; nothing is told to be
  gone unless the store has lost it;
- a lock has one holder at a time, and a higher token with each: so a resource that compares them refuses nobody but
  those who have lost it. Where a fault wipes the store, its tokens begin anew.

It ends with status 0 if all was so.
"""

import argparse
import random
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import gevent
from gevent.threadpool import ThreadPool
from soaking.embedded_faults import in_directory, live_alone
from soaking.faults import Fault, behind_proxy, of_lock_holders
from soaking.judge import Resource
from soaking.participants import Log, Participants
from stores import NAMES, chosen, store

LASTS_S = 5.0
"""How long a fault lasts, at most, unless it is one that has to last longer."""
PAUSE_S = 0.1
"""Between two changes of the writer's."""
ETCD_MEMBERS = 3
"""So that a leader can be lost."""
VACANT_S = 60.0
"""The longest that nobody may have the lock: a TTL (Consul waits for two), with a fault before it, and one after it."""

_THREAD = ThreadPool(1)
"""One that stays: servers end with the thread that has started them."""


class Soak:
    """The rounds for one store.

    Args:
        log: Takes a level and a message of what is soaked.
    """

    def __init__(self, log: Log) -> None:
        self.findings: list[str] = []
        self.resource = Resource(self.found)
        self._log = log
        self._about = "at the start"
        self._began = time.monotonic()

    def found(self, what: str) -> None:
        """Take down what must not have happened."""
        self.findings.append(f"{time.monotonic() - self._began:.1f} s, {self._about}: {what}")
        print(f"    FOUND {self.findings[-1]}", flush=True)

    def run(self, name: str, seconds: float, every_s: float) -> None:
        """Hurt the store for so long."""
        with ExitStack() as stack:
            near = stack.enter_context(store(name, ETCD_MEMBERS))
            way = in_directory(near) if near.server is None else behind_proxy(near)
            far, faults = stack.enter_context(way)
            faults += of_lock_holders(near, self.resource)
            all_of_us = Participants(near, far, self.resource, self.found, self._log)
            stack.callback(all_of_us.close)
            all_of_us.settle("at the start")
            number, end = 0, time.monotonic() + seconds
            while time.monotonic() < end:
                turn, which = divmod(number, len(faults))
                self._round(all_of_us, faults[which], every_s, busy=bool((turn + which) % 2))
                number += 1
            if not self.resource.grants:
                self.found("nobody ever had the lock")
            if self.resource.vacant_s > VACANT_S:
                self.found(f"nobody had the lock for {self.resource.vacant_s:.0f} s")
            print(
                f"  {number} faults, {len(all_of_us.written) - 1} changes of service and key, "
                f"{sum(told.events for told in all_of_us.told)} events, {self.resource.grants} grants of the lock "
                f"(none for {self.resource.vacant_s:.0f} s at most), {len(self.findings)} findings",
                flush=True,
            )

    def _round(self, run: Participants, fault: Fault, every_s: float, *, busy: bool) -> None:
        self._about = fault.name + (", writing" if busy else "")
        before = [told.changes for told in run.told]
        run.prepare(fault)
        began = time.monotonic()
        _in_thread(fault.begin)
        if fault.takes_lock:
            run.compete()
        until = began + min(LASTS_S, every_s / 3) * fault.longer
        while time.monotonic() < until:
            if busy:
                run.change()
            gevent.sleep(PAUSE_S)
        if fault.serves:
            run.settle("before its end", fault.others)
        wrong = _in_thread(fault.end)
        if isinstance(wrong, str) and wrong:
            self.found(wrong)
        ended = time.monotonic()
        run.settle("after it")
        took_s = time.monotonic() - ended
        events = [told.changes - old for told, old in zip(run.told, before, strict=True)]
        print(f"  {self._about:<55} in order {took_s:5.1f} s later, {sum(events)} changes told", flush=True)
        for told, count in zip(run.told, events, strict=True):
            if not busy and count and told.kind not in fault.loses:
                self.found(f"{count} changes of the {told.what} told although nothing had changed")
        if fault.loses:  # a watch may show what it knew before, until it is seen that it hears of something new
            run.change()
            run.settle("a first change afterwards")
        for told in run.told:
            told.end()
        before = [told.changes for told in run.told]
        run.change()
        run.settle("a change afterwards")
        for told, old in zip(run.told, before, strict=True):
            if told.changes != old + 1:
                self.found(f"one change of the {told.what} afterwards was told {told.changes - old} times")
        run.go_on(fault)
        gevent.sleep(max(0.0, began + every_s - time.monotonic()))


def _in_thread(call: Callable[[], object]) -> Any:
    return _THREAD.apply(call)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--backend", choices=(*NAMES, "all"), default="all")
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--every", type=float, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--verbose", action="store_true", help="show what the parts of corepilot log")
    arguments = parser.parse_args()
    if "embedded" in chosen(arguments.backend):
        live_alone()
    random.seed(arguments.seed)

    def log(level: str, message: str) -> None:
        if arguments.verbose:
            print(f"    {time.monotonic():.3f} {level} {message}", flush=True)

    findings = []
    for name in chosen(arguments.backend):
        print(name, flush=True)
        soak = Soak(log)
        soak.run(name, arguments.seconds, arguments.every)
        findings += [f"{name}: {one}" for one in soak.findings]
    for one in findings:
        print(one)
    sys.exit(1 if findings else 0)


if __name__ == "__main__":
    main()
