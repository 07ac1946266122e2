"""A real corepilot for tests: started on a snippet of configuration, watched, and ended by its pid."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

COMMAND = (sys.executable, "-I", "-m", "corepilot")
DEADLINE_S = 30.0
_PAUSE_S = 0.02
_ENVIRONMENT = ("PATH", "LANG", "LC_ALL", "TMPDIR")


class Started:
    """A program that was started, and what it has written so far: stdout and stderr, in one unnamed file."""

    _log: IO[bytes]  # made and closed by whoever starts the program

    @property
    def output(self) -> str:
        """Everything that was written so far, by the program and by its children."""
        size = os.fstat(self._log.fileno()).st_size
        return os.pread(self._log.fileno(), size, 0).decode(errors="replace")

    @property
    def lines(self) -> list[str]:
        """The output by lines."""
        return self.output.splitlines()

    def until(self, condition: str | Callable[[], object], count: int = 1, deadline_s: float = DEADLINE_S) -> None:
        """Wait until a text is in the output, or until a question is answered with something true.

        Args:
            condition: The text, or the question, which is asked again and again.
            count: How often the text has to be there.
            deadline_s: How long this may take, in seconds.

        Raises:
            AssertionError: that did not happen in time, or the program has ended without that text; shows the output.
        """
        text = condition if isinstance(condition, str) else None
        what = f"{count} x {text!r} in the output" if text is not None else "sign of what was waited for"
        deadline = time.monotonic() + deadline_s
        while True:
            ended = self._ended()  # before the look: what it wrote at last is there
            if self.output.count(text) >= count if text is not None else condition():  # type: ignore[operator]
                return
            if ended and text is not None:
                raise AssertionError(f"no {what}: {ended}; its output:\n{self.output}")
            if time.monotonic() > deadline:
                raise AssertionError(f"no {what} within {deadline_s:g} s; its output:\n{self.output}")
            time.sleep(_PAUSE_S)

    def _ended(self) -> str:
        """That the program has ended and writes no more; "" as long as it may write."""
        return ""


class RunningCorepilot(Started):
    """One `corepilot run`, with the plugins that are installed for this Python.

    Args:
        configuration: Its text, a JSON5 object; without `control`, the socket is put into the directory.
        directory: Where it runs.
        environment: Variables beside PATH and HOME.
        arguments: More words for `corepilot run`.
        command: What is started in the place of this Python's corepilot.

    Attributes:
        directory: Where it runs; jobs may write there.
        file: The configuration's file.
        environment: Of corepilot, its jobs and the commands of `client`.
        socket: The path of the control socket, unless the configuration has another.
        process: The process that was started: the guard, unless `command` begins with another program.
    """

    def __init__(
        self,
        configuration: str,
        directory: Path,
        environment: Mapping[str, str] | None = None,
        *,
        arguments: Sequence[str] = (),
        command: Sequence[str] = COMMAND,
    ) -> None:
        self.directory = directory
        self.file = directory / "corepilot.json5"
        # A path of a socket has 107 bytes at most (unix(7)), and those of test directories are long.
        self._sockets = tempfile.TemporaryDirectory(prefix="corepilot-")
        self.socket = Path(self._sockets.name) / "control.socket"
        self.configure(configuration)
        given = {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ}
        self.environment = {"HOME": str(directory), **given, **(environment or {})}
        self._log = tempfile.TemporaryFile()  # noqa: SIM115  - closed with the process
        self.process = subprocess.Popen(
            [*command, "run", "-c", str(self.file), *arguments],
            cwd=directory,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            sys.stderr.write(self.output)
        self.close()

    def configure(self, configuration: str) -> None:
        """Write another configuration; `reload` takes it into use."""
        text = configuration.strip()
        if "control:" not in text and text.startswith("{"):
            text = f"{{control: {{socket: {json.dumps(str(self.socket))}}},{text[1:]}"
        self.file.write_text(text, encoding="utf-8")

    def client(self, *words: str) -> "subprocess.CompletedProcess[str]":
        """Run a command of corepilot's against this one, to its end."""
        return subprocess.run(
            [*COMMAND, *words, "--socket", str(self.socket)],
            env=self.environment,
            cwd=self.directory,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=DEADLINE_S,
            check=False,
        )

    def until_ready(self) -> Self:
        """Wait until it answers.

        Raises:
            AssertionError: it has ended, for example because its configuration was refused; shows the output.
        """
        self.until(self._answers)
        return self

    def status(self) -> dict[str, Any]:
        """What `corepilot status -o json` shows."""
        answer = self.client("status", "-o", "json")
        if answer.returncode != 0:
            raise AssertionError(f"corepilot must answer status: {answer.stderr}{self.output}")
        found: dict[str, Any] = json.loads(answer.stdout)
        return found

    def reload(self, configuration: str = "") -> "subprocess.CompletedProcess[str]":
        """Take the configuration into use as it is now, or another one; returns what the command said."""
        if configuration:
            self.configure(configuration)
        return self.client("reload")

    def signal(self, number: int) -> None:
        """Send a signal to the guard."""
        self.process.send_signal(number)

    def stop(self, deadline_s: float = DEADLINE_S) -> int:
        """Send SIGTERM, and wait; returns the exit status.

        Raises:
            AssertionError: it did not end in time; it has been killed.
        """
        if self.process.poll() is None:
            self.signal(signal.SIGTERM)
        try:
            return self.process.wait(deadline_s)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            raise AssertionError(f"corepilot must end within {deadline_s:g} s of SIGTERM:\n{self.output}") from None

    def _answers(self) -> bool:
        ended = self._ended()
        if ended:
            raise AssertionError(f"corepilot must answer: {ended}; its output:\n{self.output}")
        return self.client("ping").returncode == 0

    def _ended(self) -> str:
        status = self.process.poll()
        return "" if status is None else f"corepilot has ended with status {status}"

    def close(self) -> None:
        """Stop it, and forget its output. Idempotent."""
        if self._log.closed:
            return
        try:
            self.stop()
        finally:
            self._log.close()
            self._sockets.cleanup()
