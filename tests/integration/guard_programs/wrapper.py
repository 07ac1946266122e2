"""`wrapper.py COMMAND…`: the guard around a command, as `corepilot -- COMMAND` runs it."""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import announcing  # noqa: F401  - puts the project on the path

from corepilot import guard

guard.install_early_handlers()
environment = dict(os.environb)
if b"PATH_OF_COMMAND" in environment:
    environment[b"PATH"] = environment.pop(b"PATH_OF_COMMAND")
sys.exit(guard.wrap(sys.argv[1:], environment=environment))
