"""The negative control: adopts orphans as the guard does, and neither collects, forwards nor ends anything."""

import os
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import announcing

from corepilot.system import kernel

kernel.set_child_subreaper()
command = subprocess.Popen(sys.argv[1:], pass_fds=[announcing.PIPE])
sys.exit(command.wait())
