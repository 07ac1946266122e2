"""`starter.py STATUS HOW…`: starts job.py with HOW, waits until it has announced itself, and exits with STATUS."""

import os
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import announcing

read_end, write_end = os.pipe()
job = os.path.join(os.path.dirname(os.path.abspath(__file__)), "job.py")
process = subprocess.Popen(
    [sys.executable, "-I", job, *sys.argv[2:]],
    env=os.environ | {"STARTED": str(write_end)},
    pass_fds=[write_end, announcing.PIPE],
)
os.read(read_end, 1)
os._exit(int(sys.argv[1]))
