"""A worker: takes work from redis, and writes what it has found out into PostgreSQL.

What it works on is in a list of its own in redis until it is done, so work that a killed worker had begun is done by
its successor, which corepilot starts with the same number. For the same reason SIGTERM may end it anywhere.
"""

import json
import os
import signal
import sys

import psycopg
import redis


def main() -> None:
    """Work until SIGTERM."""
    signal.signal(signal.SIGTERM, lambda _number, _frame: sys.exit(0))
    number = int(os.environ["COREPILOT_REPLICA"])
    begun = f"begun-{number}"
    queue = redis.Redis.from_url(os.environ["REDIS_URL"], socket_timeout=30)  # longer than it waits for work
    sys.stdout.write("waiting for work\n")
    while True:
        taken = queue.lindex(begun, 0) or queue.blmove("work", begun, timeout=5, src="RIGHT", dest="LEFT")
        if taken is None:
            continue
        work = json.loads(taken)
        with psycopg.connect(connect_timeout=2) as database:
            database.execute(
                "insert into results (job, worker, length) values (%s, %s, %s) on conflict do nothing",
                [work["job"], number, len(work["text"])],
            )
        queue.delete(begun)
        sys.stdout.write(f"done: {work['job']}\n")


if __name__ == "__main__":
    main()
