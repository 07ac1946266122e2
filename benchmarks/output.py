"""From a job's pipe to the log: lines a second in each format, and what a record costs beside its lines.

    python benchmarks/output.py [--against CHECKOUT] [--lines 300000] [--rounds 5]

`cat` writes a file into a pipe that corepilot reads, and the log is /dev/null. With `--against`, another checkout of
corepilot is measured in turns with this one, and the ratio of the medians is printed.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parents[1]
CASES = (("default", 80), ("text", 80), ("json", 80), ("default", 8))


def measure(form: str, path: str) -> None:
    """Print the seconds that one reading of the file takes. Runs in a process of its own."""
    import gevent

    from corepilot.model.configuration import Logging
    from corepilot.output.log import Log
    from corepilot.output.pipe import OutputPipe

    log = Log(Logging(level="info", format=form, output="/dev/null"))  # type: ignore[arg-type]
    pipe = OutputPipe(gevent.get_hub().loop, log)
    begun_at = time.perf_counter()
    with open(path, "rb") as file:
        child = subprocess.Popen(["cat"], stdin=file, stdout=pipe.write_end)
    pipe.start((("job", "app"), ("pid", child.pid)))
    while pipe.open:
        gevent.sleep(0.001)
    if not log.close(10) or log.dropped_bytes:
        raise SystemExit("not everything was written")
    print(time.perf_counter() - begun_at)
    child.wait()


def seconds(checkout: Path, form: str, path: Path) -> float:
    environment = {**os.environ, "PYTHONPATH": str(checkout)}
    command = [sys.executable, __file__, "--measure", form, str(path)]
    return float(subprocess.run(command, env=environment, capture_output=True, check=True, text=True).stdout)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--against", type=Path, metavar="CHECKOUT")
    parser.add_argument("--lines", type=int, default=300_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--measure", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        measure(*arguments.measure)
        return
    checkouts = [HERE, *([arguments.against.resolve()] if arguments.against else [])]
    with tempfile.TemporaryDirectory(prefix="corepilot-bench-") as directory:
        path = Path(directory) / "lines"
        for form, size in CASES:
            path.write_bytes((b"x" * (size - 1) + b"\n") * arguments.lines)
            taken: list[list[float]] = [[] for _ in checkouts]
            for _ in range(arguments.rounds):
                for checkout, found in zip(checkouts, taken, strict=True):
                    found.append(seconds(checkout, form, path))
            medians = [statistics.median(found) for found in taken]
            rate = arguments.lines / medians[0]
            ratio = f", {medians[1] / medians[0]:.2f} times the other's" if arguments.against else ""
            print(f"{form:<8} lines of {size:>2} bytes: {rate:>9,.0f} lines/s{ratio}")


if __name__ == "__main__":
    main()
