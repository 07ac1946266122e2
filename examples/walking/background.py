"""What goes on beside the steps of a walk: clients that write, ask or look all the time."""

import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self


class Background:
    """Functions in threads of their own as long as the context lasts. They return soon after `_over` is set.

    Args:
        work: One thread for each.
        patience_s: How long is waited for all of them at the end.
    """

    def __init__(self, *work: Callable[[], None], patience_s: float) -> None:
        self._over = threading.Event()
        self._patience_s = patience_s
        self._threads = [threading.Thread(target=one, daemon=True) for one in work]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        deadline = time.monotonic() + self._patience_s
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
