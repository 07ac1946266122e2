"""Announces every signal it gets: `recorder.py [NUMBER that ends it] [stoppable] [reads]`.

It announces lines of stdin too where that is a terminal: when there is one, or `reads` it whether there is one or not,
as a shell does; from the background the terminal stops it for that.
"""

import os
import select
import signal
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from announcing import announce

last = int(sys.argv[1]) if len(sys.argv) > 1 else signal.SIGTERM
keep_default = {signal.SIGKILL, signal.SIGSTOP, signal.SIGCHLD}
if "stoppable" in sys.argv:
    keep_default |= {signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU}
signals = signal.valid_signals() - keep_default
read_end, write_end = os.pipe()
os.set_blocking(write_end, False)
signal.set_wakeup_fd(write_end)
for number in signals:
    signal.signal(number, lambda *_: None)
announce("ready", os.getpid())
watched = [read_end, *([0] if os.isatty(0) else [])]
while True:
    readable = [0] if "reads" in sys.argv else select.select(watched, [], [])[0]
    if 0 in readable:
        try:
            line = os.read(0, 1000)
        except OSError as error:
            line = str(error).encode()
        announce("line", line.decode().strip())
    if read_end in readable:
        for byte in os.read(read_end, 1):
            announce("signal", byte)
            if byte == last:
                sys.exit(0)
