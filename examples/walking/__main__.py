"""Runs the script of an example: tools/python3 examples/walking examples/NAME/SCRIPT.py [OPTION]…

Beside the script's own folder its neighbours can be imported, this package among them.
"""

import runpy
import sys
from pathlib import Path

script = Path(sys.argv[1]).resolve()
sys.argv = sys.argv[1:]
sys.path[0:1] = [str(script.parent), str(Path(__file__).resolve().parents[1])]
runpy.run_path(str(script), run_name="__main__")
