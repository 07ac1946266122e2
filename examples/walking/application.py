"""An application: its corepilots, the folder they share, and where their catalog is."""

import argparse
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from walking import processes
from walking.part import Part
from walking.waiting import UnexpectedError

EMBEDDED = "embedded"
CHECKOUT = Path(__file__).resolve().parents[2]


class Application:
    """The parts of one run.

    Args:
        here: The example's folder.
        programs: Where corepilot is installed.
        arguments: The command line's, the example's own options included.
        discovery: What every configuration has for `discovery`: one catalog, or several, each by the name of its
            backend; None for the embedded one. That is in the run's folder.
    """

    def __init__(
        self,
        here: Path,
        programs: Path,
        arguments: argparse.Namespace,
        discovery: Mapping[str, Any] | None = None,
    ) -> None:
        self.here = here
        self.programs = programs
        self.arguments = arguments
        self.run = Path(tempfile.mkdtemp(prefix=f"{here.name}-"))
        self.run.chmod(0o755)  # jobs may have users of their own
        self.discovery = dict(discovery or {"backend": EMBEDDED})
        for one in (self.discovery, self.discovery.get(EMBEDDED)):
            if isinstance(one, dict) and one.get("backend") == EMBEDDED:
                one["path"] = str(self.run / "catalog")
        self._catalog = self._document("catalog", {"discovery": self.discovery})
        self.parts: dict[str, Part] = {}
        self.installed: list[Path] = []  # programs of what the example needs from PyPI; `command.run` says where

    def start(self, name: str, configuration: str = "corepilot.json5", **env: object) -> Part:
        """Start one corepilot.

        The configuration is the example's own, with two documents after it that say where the catalog and the control
        socket of this run are: `corepilot run -c corepilot.json5 -c catalog.json5 -c web-1.control.json5`.

        Args:
            name: Its name; one that is running is not started again.
            configuration: The example's file, below its folder.
            env: What the configuration's template wants to know, beside `RUN`, the folder of this run.

        Raises:
            UnexpectedError: it is running already.
        """
        if name in self.parts and self.parts[name].process.poll() is None:
            raise UnexpectedError(f"{name} is running already")
        control = self._document(f"{name}.control", {"control": {"socket": str(self.run / f"{name}.socket")}})
        documents = [self.here / configuration, self._catalog, control]
        self.parts[name] = Part(name, self.programs, documents, env=self.env(**env), cwd=self.here)
        return self.parts[name]

    def catalogs(self, service: str) -> dict[str, list[str]]:
        """Of each catalog the instances of a service that are passing there, as a client of its own sees them."""
        command = [str(self.programs / "corepilot"), "catalog", service, "-c", str(self._catalog), "-o", "json"]
        answer = subprocess.run(command, env=self.env(), capture_output=True, text=True, check=False, timeout=60)
        found = json.loads(answer.stdout or "[]")
        return {
            one["catalog"]: sorted(each["id"] for each in one.get("instances", ()) if each["status"] == "passing")
            for one in found
        }

    def _document(self, name: str, content: Mapping[str, Any]) -> Path:
        path = self.run / f"{name}.json5"
        path.write_text(json.dumps(content, indent=2))
        return path

    def env(self, **more: object) -> dict[str, str]:
        """This process's environment, without what is meant for another corepilot or another Python."""
        foreign = ("COREPILOT", "CONTAINERPILOT", "PYTHON", "NOTIFY_SOCKET", "LISTEN_")
        env = {key: value for key, value in os.environ.items() if not key.startswith(foreign)}
        path = ":".join([*map(str, self.installed), f"{self.programs}:{env.get('PATH', os.defpath)}:/usr/sbin:/sbin"])
        given = {key: str(value) for key, value in more.items()}
        return {**env, "PATH": path, "RUN": str(self.run), **given}

    def stop(self) -> list[str]:
        """Stop everything and remove the run's folder.

        Returns:
            What was still running after that, which should be nothing, and which has been killed.
        """
        for part in self.parts.values():
            part.terminate()  # all at once; the waiting comes after
        for part in self.parts.values():
            part.stop()
        left = processes.left_behind()
        shutil.rmtree(self.run, ignore_errors=True)
        return left
