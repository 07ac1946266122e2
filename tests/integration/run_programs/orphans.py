"""Makes double-forked orphans that end at once, as many as the argument says."""

import os
import sys

for _ in range(int(sys.argv[1])):
    if os.fork() == 0:
        if os.fork() == 0:
            os._exit(3)
        os._exit(0)
    os.wait()
sys.stdout.write(f"made {sys.argv[1]} orphans\n")
