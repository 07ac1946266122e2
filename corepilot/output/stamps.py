"""Time as the log writes it. Light: the `containerpilot` command says its errors in the same form."""

import time
from functools import lru_cache


@lru_cache(1)  # looked up once a second; the zone may change while we run
def local_time(second: int) -> tuple[str, str]:
    """A second of Unix time as date and time, and as zone, both as Go's RFC3339 writes them.

    The zone is that of $TZ or else of /etc/localtime at that second (tzset(3)); what does not differ from UTC is Z.
    """
    local = time.localtime(second)
    hours, minutes = divmod(abs(local.tm_gmtoff) // 60, 60)
    zone = f"{'-' if local.tm_gmtoff < 0 else '+'}{hours:02d}:{minutes:02d}" if local.tm_gmtoff else "Z"
    return time.strftime("%Y-%m-%dT%H:%M:%S", local), zone


def nano_stamp(wall_ns: int) -> str:
    """A time, in nanoseconds of Unix time, as Go's RFC3339Nano: trailing zeros of the fraction are left out."""
    second, nanoseconds = divmod(wall_ns, 1_000_000_000)
    text, zone = local_time(second)
    return f"{text}.{nanoseconds:09d}".rstrip("0").rstrip(".") + zone
