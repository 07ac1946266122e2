"""The command line of every example: run it until Ctrl-C, or walk through it."""

import argparse
import signal
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from walking import processes
from walking.application import CHECKOUT, EMBEDDED, Application
from walking.waiting import UnexpectedError

# Where the server of each catalog is by default, and what `discovery` is with it.
CATALOGS: dict[str, tuple[str, Callable[[str], dict[str, Any]]]] = {
    EMBEDDED: ("", lambda _: {"backend": EMBEDDED}),  # its path is below the folder of the run
    "consul": ("127.0.0.1:8500", lambda address: {"backend": "consul", "address": address}),
    "etcd": ("127.0.0.1:2379", lambda address: {"backend": "etcd", "endpoints": [f"http://{address}"]}),
    "zookeeper": ("127.0.0.1:2181", lambda address: {"backend": "zookeeper", "hosts": address}),
}
LOG_BYTES = 4000

Kind = TypeVar("Kind", bound=Application)


def run(
    make: Callable[[Path, Path, argparse.Namespace, Mapping[str, Any]], Kind],
    script: str,
    *,
    start: Callable[[Kind], None],
    walk: Callable[[Kind], None],
    tips: Callable[[Kind], str],
    options: Callable[[argparse.ArgumentParser], None] | None = None,
) -> int:
    """What an example's script does.

    Args:
        make: The class of the application.
        script: The script's `__file__`. The second paragraph of the README beside it is the help; a file `packages`
            has the Debian packages that the example needs: a program and its package on each line. A
            `requirements.txt` has those of PyPI: jobs find their programs, and `python3` is their Python.
        start: Start everything, and return when it works.
        walk: Start everything and try all that the README promises.
        tips: What a person may try from another terminal, while it runs.
        options: Adds options of its own; `Application.arguments` has what was given.

    Returns:
        0 if everything went as expected and nothing is left running.
    """
    here = Path(script).resolve().parent
    arguments, discovery = _arguments(here, options)
    _require(here)
    programs = arguments.programs.resolve() if arguments.programs else _installation()
    for number in (signal.SIGINT, signal.SIGTERM):  # whatever was inherited: shells let background jobs ignore SIGINT
        signal.signal(number, signal.default_int_handler)
    processes.adopt_orphans()
    installed = _installed(here)
    application = make(here, programs, arguments, discovery)
    application.installed = installed
    status = 0
    left: list[str] = []
    try:
        if arguments.walk:
            walk(application)
        else:
            start(application)
            print(f"\n{tips(application)}\n\nCtrl-C stops everything.", flush=True)
            while True:
                signal.pause()
    except KeyboardInterrupt:
        status = 1 if arguments.walk else 0
    except UnexpectedError as error:
        print(f"not as expected: {error}", file=sys.stderr)
        for part in application.parts.values():
            print(f"--- {part.name}\n{part.output[-LOG_BYTES:]}", file=sys.stderr)
        status = 1
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # the end has its own deadlines
        left = application.stop()
    if left:
        print(f"still running: {', '.join(left)}", file=sys.stderr)
        return 1
    if arguments.walk and not status:
        print("everything as expected; nothing is left running")
    return status


def _arguments(
    here: Path, options: Callable[[argparse.ArgumentParser], None] | None
) -> tuple[argparse.Namespace, dict[str, Any]]:
    purpose = (here / "README.md").read_text().split("\n\n")[1].replace("\n", " ")
    parser = argparse.ArgumentParser(prog=f"examples/{here.name}/run", description=purpose)
    parser.add_argument("--walk", action="store_true", help="try everything and say whether it went as expected")
    parser.add_argument(
        "--catalog",
        action="append",
        default=[],
        metavar="CATALOG[=ADDRESS]",
        help=f"where services are kept: {', '.join(CATALOGS)}, such as etcd=HOST:PORT; repeat it for several at once; "
        "all: each of them",
    )
    parser.add_argument(
        "--programs", type=Path, help="where corepilot is installed; else .venv-examples is made for it"
    )
    if options:
        options(parser)
    arguments = parser.parse_args()
    chosen: dict[str, str] = {}
    for one in arguments.catalog or [EMBEDDED]:
        name, _, address = one.partition("=")
        if one != "all" and (name not in CATALOGS or (name == EMBEDDED and address)):
            parser.error(f"there is no catalog {one}; there are {', '.join(CATALOGS)}, or all")
        chosen |= {name: address} if one != "all" else {each: chosen.get(each, "") for each in CATALOGS}
    catalogs = {name: CATALOGS[name][1](address or CATALOGS[name][0]) for name, address in chosen.items()}
    return arguments, catalogs if len(catalogs) > 1 else next(iter(catalogs.values()))


def packages(here: Path) -> dict[str, str]:
    """Program -> the Debian package that brings it, from the example's file `packages`; {} without one."""
    file = here / "packages"
    lines = file.read_text().splitlines() if file.exists() else []
    return {program: package for program, _, package in (line.partition(" ") for line in lines if line)}


def _require(here: Path) -> None:
    sys.path.insert(0, str(CHECKOUT / "tools"))
    import debian

    debian.require_programs(packages(here))


def _installed(here: Path) -> list[Path]:
    """The programs of what the example's `requirements.txt` names, in an environment of their own; [] without one."""
    sys.path.insert(0, str(CHECKOUT / "tools"))
    import pypi

    file = here / "requirements.txt"
    return [pypi.programs_of(file)] if file.exists() else []


def _installation() -> Path:
    """The programs of an environment of this checkout, made at the first run."""
    sys.path.insert(0, str(CHECKOUT / "tools"))
    import environment

    return environment.ensure(CHECKOUT / ".venv-examples")
