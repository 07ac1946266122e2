"""The ways to put corepilot into an image: what each adds, and how long it takes to start.

    python benchmarks/ways.py [--runs 20] [--bundle DIRECTORY]

Sizes are sums of the files' lengths in MB (1,000,000 bytes). A virtual environment has no pip and no setuptools, is
made with Debian's Python, which is also in the bundle, and compiled as images/python.Dockerfile does it. `first exec`
is from the start of `corepilot run` to the first line of its one job, `wrap` a whole `corepilot -- true`, `version` a
whole `corepilot --version`: medians in ms, measured in turns. `--bundle` is a directory that tools/bundle has filled;
without it, one is made.
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from boot import folder, one_job

sys.path.append(str(Path(__file__).resolve().parent.parent / "tools"))

from bundling.making import make
from environment import build_requirements, stage

PYTHON = "/usr/bin/python3"
MB = 1e6
COMPILED = ("-q", "--invalidation-mode", "unchecked-hash", "-x", "/(tests|testing)/")
"""What no supervisor imports is not compiled: it is 3 MB, most of it gevent's tests."""


def run(*command: object) -> None:
    subprocess.run([str(word) for word in command], check=True)


def size(place: Path) -> float:
    return sum(path.stat().st_size for path in place.rglob("*") if path.is_file() and not path.is_symlink()) / MB


def environment(place: Path, scratch: Path, *, plugins: bool) -> Path:
    """A virtual environment with wheels of this checkout in it, and nothing else; returns its corepilot."""
    scratch.mkdir()
    run(PYTHON, "-I", "-m", "venv", scratch / "pip")
    pip = [scratch / "pip" / "bin" / "python", "-I", "-m", "pip", "-q", "--disable-pip-version-check"]
    run(*pip, "install", *build_requirements())
    (scratch / "sources").mkdir()
    sources = stage(scratch / "sources")
    wheels = scratch / "wheels"
    run(*pip, "wheel", "--no-build-isolation", "-w", wheels, *sources)
    run(PYTHON, "-I", "-m", "venv", "--without-pip", place)
    wanted = ["corepilot", *(f"corepilot-{path.name.partition('-')[2]}" for path in sources[1:] if plugins)]
    python = ["--python", place / "bin" / "python"]
    run(*pip, *python, "install", "--no-compile", "--no-index", "--find-links", wheels, *wanted)
    run(place / "bin" / "python", "-I", "-m", "compileall", *COMPILED, place / "lib")
    return place / "bin" / "corepilot"


def first_exec(program: Path) -> float:
    with folder() as path:
        return one_job(path, str(program), settle_s=0)[0]


def whole(program: Path, *words: str) -> float:
    began = time.perf_counter()
    subprocess.run([program, *words], check=True, stdout=subprocess.DEVNULL)
    return (time.perf_counter() - began) * 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--bundle", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="corepilot-ways-") as name:
        scratch = Path(name)
        made = arguments.bundle or scratch / "bundle"
        if arguments.bundle is None:
            make(made, PYTHON, [])
        archive = next(made.glob("corepilot-*.tar.gz"))
        ways = {
            "wheels, core": environment(scratch / "core", scratch / "1", plugins=False),
            "wheels, all plugins": environment(scratch / "all", scratch / "2", plugins=True),
            "bundle": made / "corepilot" / "bin" / "corepilot",
        }
        times: dict[str, list[tuple[float, float, float]]] = {way: [] for way in ways}
        for _ in range(arguments.runs):  # interleaved: a busy moment of the machine hits all of them
            for way, program in ways.items():
                row = (first_exec(program), whole(program, "--", "true"), whole(program, "--version"))
                times[way].append(row)
        print(f"{'':<22}{'MB':>8}{'first exec':>13}{'wrap':>8}{'version':>10}")
        for way, program in ways.items():
            middle = [statistics.median(column) for column in zip(*times[way], strict=True)]
            adds = size(program.parent.parent)
            print(f"{way:<22}{adds:>8.1f}{middle[0]:>13.0f}{middle[1]:>8.0f}{middle[2]:>10.0f}")
        print(f"the bundle's archive: {archive.stat().st_size / MB:.1f} MB")


if __name__ == "__main__":
    main()
