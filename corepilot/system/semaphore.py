"""gevent's semaphore, without what its public module brings along.

`gevent.lock` also holds a lock for monkey-patched programs, and imports `gevent.monkey` and `logging` for it: 0.4 MB in
every supervisor, which patches nothing. A gevent without the inner module is used through the public one.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gevent.lock import BoundedSemaphore
else:
    try:
        from gevent._semaphore import BoundedSemaphore
    except ImportError:
        from gevent.lock import BoundedSemaphore

__all__ = ["BoundedSemaphore"]
