"""A job with a past: `job.py HOW…` announces "job PID", then waits. HOW is any of

ignore      ignores SIGTERM              note      announces "term PID COUNT" at each SIGTERM
obey        announces "term PID 1" and exits 4 at SIGTERM
daemon      double fork and setsid first: its parent is whoever adopts it
session     setsid first
child       forks a child in its group that does the same as itself
apart       forks a child that begins a session and ignores SIGTERM
stop        stops itself with SIGSTOP once it has announced itself
runaway     forks for ever, each parent exiting at once; runaway-session: with setsid at every step
"""

import contextlib
import os
import signal
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from announcing import announce

how = set(sys.argv[1:])
seen = iter(range(1, 100))


def noted(*_: object) -> None:
    announce("term", os.getpid(), next(seen))
    if "obey" in how:
        os._exit(4)


if "daemon" in how:
    if os.fork():
        os._exit(0)
    os.setsid()
    if os.fork():
        os._exit(0)
if "session" in how:
    os.setsid()
if "ignore" in how:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
if how & {"obey", "note"}:
    signal.signal(signal.SIGTERM, noted)
if "child" in how:
    os.fork()
if "apart" in how and os.fork() == 0:
    os.setsid()
    how.clear()
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
announce("job", os.getpid())
if "STARTED" in os.environ:
    with contextlib.suppress(BrokenPipeError):  # the other process of a pair was quicker
        os.write(int(os.environ["STARTED"]), b".")
if "stop" in how:
    os.kill(os.getpid(), signal.SIGSTOP)
while how & {"runaway", "runaway-session"}:
    if os.fork():
        os._exit(0)
    if "runaway-session" in how:
        os.setsid()
while True:
    signal.pause()
