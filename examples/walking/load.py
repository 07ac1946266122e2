"""Requests to a web server, one after the other from several clients, counted by what came back."""

import http.client
import threading
import time
import urllib.error
import urllib.request
from collections import Counter

from walking.background import Background

_PAUSE_S = 0.005  # of each client between two requests: a server with one processor has other things to do


def ask(url: str, timeout_s: float = 5, method: str = "GET") -> str:
    """The body of the answer without blanks around it, or what went wrong: `status 502`, `no answer (…)`."""
    try:
        with urllib.request.urlopen(urllib.request.Request(url, method=method), timeout=timeout_s) as answer:
            return str(answer.read(), "utf-8", "replace").strip()
    except urllib.error.HTTPError as error:
        return f"status {error.code}"
    except (OSError, http.client.HTTPException) as error:
        return f"no answer ({error})"  # or half of one


class Load(Background):
    """Clients that ask for one page as long as the context lasts, each over a new connection every time.

    Args:
        url: The page.
        clients: How many ask at once.
        timeout_s: After which a request has failed.
        method: Of the requests; a proxy repeats a GET that has failed at another server, and no POST.
    """

    def __init__(self, url: str, clients: int = 4, timeout_s: float = 15, method: str = "GET") -> None:
        super().__init__(*[self._ask] * clients, patience_s=timeout_s + 5)
        self.url = url
        self.method = method
        self.answers: Counter[str] = Counter()
        self.failures: Counter[str] = Counter()
        self._timeout_s = timeout_s
        self._lock = threading.Lock()

    @property
    def failed(self) -> int:
        """Requests that had no answer or another status than 2xx."""
        return self.failures.total()

    @property
    def succeeded(self) -> int:
        """Requests that had a good answer."""
        return self.answers.total()

    def _ask(self) -> None:
        while not self._over.is_set():
            said = ask(self.url, self._timeout_s, self.method)
            with self._lock:
                (self.failures if said.startswith(("status ", "no answer (")) else self.answers)[said] += 1
            time.sleep(_PAUSE_S)
