"""What installed plugins cost that no configuration names: start to first exec, with none and with twenty, in turns.

    python benchmarks/installed_plugins.py [--runs 20] [--plugins 20]

Each of them would take a second to import, and says so by being late: what is installed is to cost nothing. Prints
medians in milliseconds.
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))
from foreign import python_with, write_distribution

CONFIG = '{discovery: false, control: {socket: "%s/socket"}, jobs: [{name: "stamp", exec: ["/bin/sh", "%s/stamp"]}]}'
KINDS = ("backends", "sinks", "sources", "checks", "observers", "commands")


def environment(directory: Path, plugins: int) -> Path:
    """A Python with everything that this one has, and so many plugins."""
    site = directory / "site"
    site.mkdir(parents=True)
    for number in range(plugins):
        name = f"extra{number}"
        entry_points = f"[corepilot.{KINDS[number % len(KINDS)]}]\n{name} = {name}\n"
        write_distribution(site, f"corepilot-{name}", "1.0", entry_points, {name: "import time\ntime.sleep(1)\n"})
    return python_with(site, directory)


def first_exec_ms(python: Path, directory: Path) -> float:
    """Milliseconds from the start to the job's first instruction."""
    began = time.time_ns()
    subprocess.run(
        [python, "-I", "-m", "corepilot", "run", "-c", directory / "c.json5"], check=True, capture_output=True
    )
    return (int((directory / "time").read_text()) - began) / 1e6


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--plugins", type=int, default=20)
    words = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        (directory / "c.json5").write_text(CONFIG % (directory, directory))
        (directory / "stamp").write_text(f"date +%s%N > {directory}/time\n")
        counts = (0, words.plugins)
        pythons = {count: environment(directory / f"with{count}", count) for count in counts}
        taken: dict[int, list[float]] = {count: [] for count in counts}
        for _ in range(words.runs + 1):
            for count, python in pythons.items():
                taken[count].append(first_exec_ms(python, directory))
        for count in counts:
            print(f"{count:3d} plugins: first exec after {statistics.median(taken[count][1:]):.1f} ms")


if __name__ == "__main__":
    main()
