"""Work for the cluster: `work.py SCHEDULER_FILE RESULTS`.

Each task has a file for its result. A scheduler that dies forgets what it was to do, and Dask's client does not know
better: so whoever submits work has to be able to submit it again. That is what this program does when it is started
again: it submits the tasks that have no result yet.
"""

import sys
import time
from pathlib import Path

from distributed import Client, as_completed  # type: ignore[import-not-found]  # it has an environment of its own

TASKS = 160
PATIENCE_S = 60


def square(number: int) -> int:
    """What the workers do."""
    time.sleep(0.2)
    return number * number


def main(scheduler_file: str, results: Path) -> None:
    results.mkdir(exist_ok=True)
    missing = [number for number in range(TASKS) if not (results / str(number)).exists()]
    with Client(scheduler_file=scheduler_file, timeout=PATIENCE_S) as client:
        print(f"submitting {len(missing)} of {TASKS} tasks", flush=True)
        tasks = {client.submit(square, number, pure=False): number for number in missing}
        for task in as_completed(tasks, timeout=PATIENCE_S):
            file = results / f"{tasks[task]}.new"
            file.write_text(f"{task.result()}\n")  # raises where the scheduler has been lost, and the task with it
            file.rename(results / str(tasks[task]))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
