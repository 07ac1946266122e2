"""The application: takes orders, and writes a line about each. `orders.py NAME ORDERS_PER_SECOND`."""

import itertools
import os
import signal
import sys
import time

NAME, PAUSE_S = sys.argv[1], 1 / float(sys.argv[2])

signal.signal(signal.SIGTERM, signal.default_int_handler)
try:
    for number in itertools.count(1):
        print(f"{NAME} run {os.getpid()} order {number} of {number % 7 + 1} pears", flush=True)
        time.sleep(PAUSE_S)
except KeyboardInterrupt:
    print(f"{NAME} run {os.getpid()} closes", flush=True)
