"""The application: writes one number after the other, and notes those that the database has acknowledged.

`writer.py FOLDER`: `primary` in it says where the primary is, `acknowledged` gets a line for each number that is
written for good: the number, and the server that took it. A number whose fate is unknown is never used again.
"""

import contextlib
import select
import subprocess
import sys
import time
from pathlib import Path

FOLDER = Path(sys.argv[1])
PATIENCE_S = 3.0
PAUSE_S = 0.02


class Session:
    """One connection to the primary; the client program is the driver, as Python brings none."""

    def __init__(self, host: str, port: str) -> None:
        command = ["mariadb", "--no-defaults", "--unbuffered", "--batch", "--skip-column-names", "--connect-timeout=3"]
        self._process = subprocess.Popen(
            [*command, f"--host={host}", f"--port={port}", "--user=shop", "shop"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            bufsize=1,
        )

    def write(self, number: int) -> str:
        """The server that has taken the number; "" if that is not known."""
        assert self._process.stdin is not None and self._process.stdout is not None  # noqa: PT018 - both are pipes
        try:
            self._process.stdin.write(
                f"INSERT INTO orders VALUES ({number}, @@server_id); SELECT {number}, @@server_id;\n"
            )
        except OSError:
            return ""
        if not select.select([self._process.stdout], [], [], PATIENCE_S)[0]:
            return ""
        written, _, server = self._process.stdout.readline().strip().partition("\t")
        return server if written == str(number) else ""

    def close(self) -> None:
        self._process.kill()
        self._process.communicate()


def last() -> int:
    """The highest number that was acknowledged before, with room for those whose fate is unknown."""
    try:
        lines = (FOLDER / "acknowledged").read_text().split("\n")
    except FileNotFoundError:
        return 0
    return max((int(line.split()[0]) for line in lines if line), default=0) + 1000


number = last()
with (FOLDER / "acknowledged").open("a") as acknowledged:
    while True:
        primary = (FOLDER / "primary").read_text().split()
        if not primary:
            time.sleep(PAUSE_S)
            continue
        session = Session(*primary[:2])
        with contextlib.closing(session):
            while True:
                number += 1
                server = session.write(number)
                if not server:
                    break
                acknowledged.write(f"{number} {server}\n")
                acknowledged.flush()
                time.sleep(PAUSE_S)
