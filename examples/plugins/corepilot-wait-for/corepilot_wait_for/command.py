"""The command: `corepilot wait-for HOST:PORT… [--timeout SECONDS]`."""

import argparse
import socket
import sys
import time
from collections.abc import Sequence
from typing import NoReturn

from corepilot.errors import CorepilotError

LOOK_S = 0.1
OVERDUE = 4


class WordsError(CorepilotError):
    """Words that say nothing that can be waited for."""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise WordsError(f"cannot wait: {message}")


def main(words: Sequence[str]) -> int:
    """Wait; returns 0, or 4 if the time is over."""
    parser = _Parser(prog="corepilot wait-for", exit_on_error=False, add_help=False)
    parser.add_argument("addresses", nargs="+", metavar="HOST:PORT")
    parser.add_argument("--timeout", type=float, default=60.0)
    try:
        given = parser.parse_args(list(words))
    except argparse.ArgumentError as error:
        raise WordsError(f"cannot wait: {error}") from error
    deadline = time.monotonic() + given.timeout
    for address in given.addresses:
        host, _, port = address.rpartition(":")
        if not host or not port.isdecimal():
            raise WordsError(f"cannot wait for {address!r}: it is HOST:PORT")
        while not _answers(host, int(port), deadline):
            if time.monotonic() >= deadline:
                sys.stderr.write(f"{address} cannot be connected to after {given.timeout:g} s\n")
                return OVERDUE
            time.sleep(LOOK_S)
    return 0


def _answers(host: str, port: int, deadline: float) -> bool:
    try:
        with socket.create_connection((host, port), max(0.01, deadline - time.monotonic())):
            return True
    except OSError:
        return False
