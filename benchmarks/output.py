"""From a job's pipe to the log, and to what `corepilot logs` keeps: lines and megabytes a second in each format.

    python benchmarks/output.py [--against CHECKOUT] [--lines 300000] [--rounds 5]

`cat` writes a file into a pipe that corepilot reads, and the log is /dev/null. With `--against`, another checkout of
corepilot is measured in turns with this one, and the ratio of the medians is printed. A checkout that keeps no lines is
measured without. The growth of the process over one reading is printed too: memory is flat.
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
KEPT_BYTES = 1024 * 1024


def measure(form: str, path: str) -> None:
    """Print the seconds that one reading of the file takes. Runs in a process of its own."""
    import gevent

    try:
        from corepilot.model.configuration import Logging
    except ModuleNotFoundError:  # an old checkout
        from corepilot.config.model import LoggingConfig as Logging  # type: ignore[no-redef, import-not-found]
    from corepilot.output.log import Log
    from corepilot.output.pipe import OutputPipe

    log = Log(Logging(level="info", format=form, output="/dev/null"))  # type: ignore[arg-type]
    try:
        from corepilot.output.ring import Ring
    except ImportError:
        pass
    else:
        log.output.subscribe("a ring", Ring(KEPT_BYTES).take)
    pipe = OutputPipe(gevent.get_hub().loop, log)
    before_kib = resident_kib()
    begun_at = time.perf_counter()
    with open(path, "rb") as file:
        child = subprocess.Popen(["cat"], stdin=file, stdout=pipe.write_end)
    pipe.start((("job", "app"), ("pid", child.pid)))
    while pipe.open:
        gevent.sleep(0.001)
    if log.close(10) is False or log.dropped_bytes:
        raise SystemExit("not everything was written")
    print(time.perf_counter() - begun_at, resident_kib() - before_kib)
    child.wait()


def resident_kib() -> int:
    """The resident memory of this process."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") // 1024


def seconds(checkout: Path, form: str, path: Path) -> tuple[float, int]:
    environment = {**os.environ, "PYTHONPATH": str(checkout)}
    command = [sys.executable, __file__, "--measure", form, str(path)]
    answer = subprocess.run(command, env=environment, capture_output=True, check=True, text=True).stdout
    taken, grown = answer.split()
    return float(taken), int(grown)


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
            taken: list[list[tuple[float, int]]] = [[] for _ in checkouts]
            for _ in range(arguments.rounds):
                for checkout, found in zip(checkouts, taken, strict=True):
                    found.append(seconds(checkout, form, path))
            medians = [statistics.median(one for one, _ in found) for found in taken]
            grown = max(kib for _, kib in taken[0])
            rate = arguments.lines / medians[0]
            ratio = f", {medians[1] / medians[0]:.2f} times the other's" if arguments.against else ""
            speed = f"{rate:>9,.0f} lines/s, {rate * size / 1e6:>5.1f} MB/s"
            print(f"{form:<8} lines of {size:>2} bytes: {speed}, grown by {grown} KiB{ratio}")


if __name__ == "__main__":
    main()
