"""`check`, `plugins verify` and `run` say the same about a plugin that cannot be used (one judgement)."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

CHECKOUT = str(Path(__file__).resolve().parents[2])
PROGRAM = """
import sys
sys.path[:0] = [{site!r}]
sys.path.append({checkout!r})
from corepilot.cli.main import main
sys.exit(main(sys.argv[1:]))
"""
HEAD = "from dataclasses import dataclass\nfrom corepilot.plugin import hookimpl, option\nAPI = '1.0'\n"
HOOK = "@hookimpl\ndef corepilot_register_observer():\n    from note_judged.observer import Note\n    return Note\n"
OBSERVER = (
    "from corepilot.observers.observer import Observer\n"
    "class Note(Observer):\n    def observe(self, fact): pass\n"
)  # fmt: skip
REFUSES = "@dataclass(frozen=True)\nclass Options:\n    def __post_init__(self): raise ValueError('secret')\n"
TAKES = "import signal\nsignal.signal(signal.SIGUSR1, signal.SIG_IGN)\n"
CASES = {
    "misspelt hook": (HEAD + HOOK.replace("register", "regster"), "", "there is no hook 'corepilot_regster_observer'"),
    "no hook": (HEAD, "", "an observer must implement corepilot_register_observer"),
    "unmarked hook": (HEAD + HOOK.replace("@hookimpl\n", ""), "", "is not marked"),
    "thread at import": (
        "import threading\nthreading.Thread(target=threading.Event().wait, daemon=True).start()\n" + HEAD + HOOK,
        "", "changed the number of threads",
    ),
    "heavy light module": ("import h11\n" + HEAD + HOOK, "", "its light module, imports h11"),
    "no API": ((HEAD + HOOK).replace("API = '1.0'", ""), "", "API is missing"),
    "missing dependency": ("import nothing_like_it\n" + HEAD + HOOK, "", "it needs nothing_like_it"),
    "exception at import": ("1 / 0\n" + HEAD + HOOK, "", "ZeroDivisionError"),
    "loop at import": ("while True: pass\n" + HEAD + HOOK, "", "importing observer 'note'"),
    "os._exit at import": ("import os\nos._exit(3)\n" + HEAD + HOOK, "", "importing observer 'note'"),
    "ValueError in Options": (HEAD + REFUSES + HOOK, "", "its Options refused the values with ValueError ("),
    "missing dependency of the class": (HEAD + HOOK, "import nothing_like_it\n", "nothing_like_it"),
    "exception at the hook": (HEAD + HOOK, "1 / 0\n", "ZeroDivisionError"),
    "not an observer": (HEAD + HOOK, "class Note: pass\n", "must return a subclass of"),
    "a method is missing": (HEAD + HOOK, OBSERVER.partition("\n")[0] + "\nclass Note(Observer): pass\n",
                            "does not implement observe"),
    "a signal is taken by the hook": (HEAD + HOOK, TAKES + OBSERVER, "changed the handler of SIGUSR1"),
}  # fmt: skip
CONFIGURATION = '{control: {socket: "%s"}, observers: ["note"], jobs: [{name: "a", exec: "sleep 0.5"}]}'


class Machine:
    """An installation with one observer, `note`."""

    def __init__(self, directory: Path, light: str, heavy: str) -> None:
        self.directory = directory
        self.site = directory / "site"
        info = self.site / "corepilot_note-1.2.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: corepilot-note\nVersion: 1.2\n")
        (info / "entry_points.txt").write_text("[corepilot.observers]\nnote = note_judged.plugin\n")
        (self.site / "note_judged").mkdir()
        (self.site / "note_judged" / "__init__.py").touch()
        (self.site / "note_judged" / "plugin.py").write_text(light)
        (self.site / "note_judged" / "observer.py").write_text(heavy or OBSERVER)
        self.file = directory / "corepilot.json5"
        self.file.write_text(CONFIGURATION % (directory / "control.socket"))

    def run(self, *words: str) -> tuple[int, str]:
        """The status and the output of a command line."""
        program = PROGRAM.format(site=str(self.site), checkout=CHECKOUT)
        result = subprocess.run(
            [sys.executable, "-I", "-c", program, *words],
            cwd=self.directory,
            env={"PATH": os.environ["PATH"], "HOME": str(self.directory)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=100,
            check=False,
        )
        return result.returncode, result.stdout


def sentence(said: str, fault: str) -> str:
    """From the fault on, to the end of the reason; without what follows it, such as advice."""
    line = next((one for one in said.splitlines() if fault in one), "")
    assert line, f"{fault!r} is not in:\n{said}"
    ends = r"; it observes nothing|; tell its author|: the (?:loader|process) | within |\""
    return re.split(ends, line[line.index(fault) :])[0].strip()


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_all_three_refuse_it_with_one_sentence(name: str, tmp_path: Path) -> None:
    light, heavy, fault = CASES[name]
    machine = Machine(tmp_path, light, heavy)
    checked = machine.run("check", str(machine.file))
    verified = machine.run("plugins", "verify", "note", "-o", "json")
    ran = machine.run("run", "-c", str(machine.file))
    [result] = json.loads(verified[1])
    problems = " ".join(result["problems"])
    assert (checked[0], verified[0]) == (1, 1), checked[1]
    assert sentence(checked[1], fault) == sentence(problems, fault) == sentence(ran[1], fault)
    assert "corepilot-note 1.2" in checked[1]
    assert "corepilot-note 1.2" in ran[1]
    # Without its light module there is no configuration; without the rest the jobs do without an observer.
    assert ran[0] == (0 if heavy else 1), ran[1]
    assert "Traceback" not in checked[1] + verified[1] + ran[1]
    assert signal.getsignal(signal.SIGUSR1) is signal.SIG_DFL


def test_a_good_one_is_fine_everywhere(tmp_path: Path) -> None:
    machine = Machine(tmp_path, HEAD + HOOK, "")
    assert machine.run("check", str(machine.file))[0] == 0
    assert machine.run("plugins", "verify", "note")[0] == 0
    assert machine.run("run", "-c", str(machine.file))[0] == 0
