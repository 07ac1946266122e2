"""One running corepilot of an application."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from walking import processes
from walking.waiting import UnexpectedError, until

STOP_DEADLINE_S = 60


class Part:
    """One corepilot with what it supervises; making it starts it.

    Args:
        name: Its name in the application: `web-1`.
        programs: Where corepilot is installed.
        documents: The configuration, merged in this order, the example's own document first.
        env: The whole environment, PATH included; `RUN` is the folder of its log and its control socket.
        cwd: The example's folder.
    """

    def __init__(
        self, name: str, programs: Path, documents: Sequence[Path], *, env: Mapping[str, str], cwd: Path
    ) -> None:
        self.name = name
        folder = Path(env["RUN"])
        self.socket = folder / f"{name}.socket"
        self.log = folder / f"{name}.log"
        self._corepilot = str(programs / "corepilot")
        self._terminated = False
        self._env = dict(env)
        files = [word for path in documents for word in ("-c", str(path))]
        # Should the walk be killed, its corepilots get a TERM and stop in good order.
        guarded = ["setpriv", "--pdeathsig", "TERM"] if shutil.which("setpriv") else []
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*guarded, self._corepilot, "run", *files],
                cwd=cwd,
                env=self._env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # a Ctrl-C is for the walk, which then stops everything in order
            )

    @property
    def output(self) -> str:
        """What it and its jobs have written so far."""
        return self.log.read_text(errors="replace")

    def find(self, words: str) -> int:
        """The first of its processes whose command line has these words; 0 if there is none."""
        return next(iter(processes.find(self.process.pid, words)), 0)

    def kill(self, words: str, number: signal.Signals = signal.SIGKILL) -> int:
        """Send a signal to the first of its processes whose command line has these words; returns its pid.

        Raises:
            UnexpectedError: there is no such process.
        """
        pid = self.find(words)
        if not pid:
            raise UnexpectedError(f"{self.name} has no process with {words!r} in its command line")
        os.kill(pid, number)
        return pid

    def ask(self, *words: str, deadline_s: float = 30) -> "subprocess.CompletedProcess[str]":
        """Run `corepilot WORDS --socket …` on it, as a person would."""
        return subprocess.run(
            [self._corepilot, *words, "--socket", str(self.socket)],
            env=self._env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=deadline_s,
        )

    def tell(self, *words: str, deadline_s: float = 60) -> str:
        """The same, and it must succeed; returns what it prints.

        Raises:
            UnexpectedError: its status is not 0.
        """
        answer = self.ask(*words, deadline_s=deadline_s)
        if answer.returncode:
            raise UnexpectedError(f"corepilot {' '.join(words)} on {self.name} says: {answer.stderr.strip()}")
        return answer.stdout

    def status(self) -> dict[str, Any]:
        """What `corepilot status` says; {} while it does not answer."""
        answer = self.ask("status", "-o", "json")
        found: dict[str, Any] = json.loads(answer.stdout) if answer.returncode == 0 else {}
        return found

    def job(self, name: str) -> dict[str, Any]:
        """What `corepilot status` says of one job; {} where there is none."""
        return next((job for job in self.status().get("jobs", ()) if job["name"] == name), {})

    def says(self, words: str, count: int = 1) -> None:
        """Wait until its log has these words so many times."""
        until(lambda: self.output.count(words) >= count, wanted=True, what=f"{words!r} in the log of {self.name}")

    def terminate(self) -> None:
        """Ask it to stop, once: a second time would have it kill all that is left."""
        if not self._terminated and self.process.poll() is None:
            self._terminated = True
            self.process.terminate()

    def stop(self) -> int:
        """Ask it to stop, and wait until it has; returns its exit status."""
        self.terminate()
        try:
            return self.process.wait(STOP_DEADLINE_S)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(OSError):
                self.process.kill()
            return self.process.wait()
