"""What a supervisor has loaded when all is up: nothing that its configuration does not ask for."""

import subprocess
import sys
from pathlib import Path

from eventually import eventually

PLAIN = """
import os, sys
from corepilot.guard import Channel
told = []
ready = Channel.ready
def heard(channel, budget):
    ready(channel, budget)
    told.append(budget)
    if len(told) == 2:  # the loader has answered, and all is up
        real = [name for name, one in sys.modules.items() if name != "typing" or hasattr(one, "__file__")]
        with open("TOLD.new", "w") as file:
            file.write(" ".join(real))
        os.rename("TOLD.new", "TOLD")
Channel.ready = heard
from corepilot.cli.main import main
sys.exit(main(sys.argv[1:]))
"""

NEVER = (
    *("ast", "copy", "dis", "email", "heapq", "http", "importlib.metadata", "inspect", "linecache", "logging"),
    *("pickle", "pluggy", "pprint", "selectors", "signal", "ssl", "string", "subprocess", "tempfile"),
    *("textwrap", "threading", "tokenize", "traceback", "urllib", "zipfile", "zope"),
    *(("typing",) if sys.version_info < (3, 14) else ()),  # what stands for it does not know that one
    *("corepilot.cli.arguments", "corepilot.cli.files", "corepilot.cli.table"),  # used once, and dropped
    *("corepilot.plugin.manager", "corepilot.config.schema", "corepilot.gotemplate", "corepilot.discovery.registrar"),
)
"""What a supervisor with one plain job has no use for."""


def test_a_supervisor_with_one_plain_job_has_loaded_what_it_needs(tmp_path: Path) -> None:
    told = tmp_path / "told"
    config = tmp_path / "corepilot.json5"
    job = '{name: "stay", exec: "sleep 100"}'
    config.write_text(f'{{consul: false, control: {{socket: "{tmp_path}/socket"}}, jobs: [{job}]}}')
    command = [sys.executable, "-I", "-c", PLAIN.replace("TOLD", str(told)), "run", "-c", str(config)]
    with subprocess.Popen(command) as process:
        try:
            eventually(told.exists, 60, "the supervisor has not said what it has loaded")
        finally:
            process.terminate()
    loaded = told.read_text().split()
    assert "corepilot.supervisor.app" in loaded
    assert not [name for name in loaded if name in NEVER]
