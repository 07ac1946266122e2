"""`orphans.py N`: leaves N orphans, a hundred at a time, announces "done", and waits for SIGTERM."""

import os
import signal
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from announcing import announce

for _ in range(int(sys.argv[1]) // 100):
    parent = os.fork()
    if parent == 0:
        for _ in range(100):
            if os.fork() == 0:
                os._exit(0)
        os._exit(0)
    os.waitpid(parent, 0)
announce("done")
signal.pause()
