"""The conformance suite of discovery backends: what every backend must do, as tests to inherit.

A backend's author writes one class. pytest finds it, because its name begins with `Test`:

    import pytest
    from corepilot.testing.backends import BackendSuite, LossSuite, context
    from corepilot_notebook import plugin

    class TestNotebook(BackendSuite, LossSuite):
        capabilities = plugin.CAPABILITIES

        @pytest.fixture(autouse=True)
        def _notebook(self, tmp_path):          # the server: any fixture will do
            self.path = tmp_path / "notebook"

        def client(self):                       # a new client of the one catalog, as corepilot would make it
            return NotebookBackend(Options(path=str(self.path)), context())

        def forget(self):                       # what LossSuite needs: the catalog loses its data
            (self.path / "pages").unlink()

`BackendSuite` is for every backend that takes registrations, with "watch" or without, `LookupSuite` for one that does
not, `KeySuite` and `LockSuite` for those that declare "keys" and "locks". The others are for a catalog that has, or can
be given, what they test:

| suite | what a subclass supplies beside `client()` |
|---|---|
| `LookupSuite` | `publish(*places)`: the store holds exactly these instances of the test's service |
| `KeySuite` | nothing: values, versions, watches of a key and of a prefix |
| `LockSuite` | nothing, or `lock_ttl_s` where 2 s is too short a TTL, and `take_away(name)`: a holder loses the lock |
| `LossSuite` | `forget()`: the catalog loses its data (an agent restarts, a directory is wiped, a lease expires) |
| `OutageSuite` | `stop()` and `start()`: the catalog is away, and comes back |
| `HangSuite` | `pause()` and `resume()`: it takes connections and does not answer (SIGSTOP) |
| `FaultSuite` | `server_address`, and `client()` connects to `self.proxy`: both of the above, and broken connections |
| `ExpirySuite` | nothing: the store itself counts silent instances as critical, or drops them |

There are no skips: a suite that is inherited is passed. `capabilities` is what the plugin's light module declares;
with "keys" and "locks" in it, the suites that hurt the catalog ask those too.

`FaultSuite` is the short way for a server at a TCP port: a proxy (`corepilot.testing.proxy`) stands between, so that
nothing has to be stopped or paused. A real server works the same way: another fixture starts it, `client()` connects to
it, `forget()` restarts it without its data. Servers that several tests share are fine: every test has a service name of
its own, and takes out what it registered.

The suites need no fixture, no plugin and no import of pytest; the failures say which rule was broken, so assertion
rewriting is not needed either. Tests run in the main greenlet; nothing is monkey-patched.
"""

from corepilot.testing.key_version_rules import KeyVersionRules
from corepilot.testing.key_watch_rules import KeyWatchRules
from corepilot.testing.listener import Listener
from corepilot.testing.lock_loss_rules import LockLossRules
from corepilot.testing.lookup_rules import LookupSuite
from corepilot.testing.outages import ExpirySuite, HangSuite, LossSuite, OutageSuite
from corepilot.testing.process_state import require
from corepilot.testing.proxied import FaultSuite
from corepilot.testing.registration_rules import RegistrationRules
from corepilot.testing.suite import Suite, context, instance_of
from corepilot.testing.watch_rules import WatchRules

__all__ = [
    "BackendSuite",
    "ExpirySuite",
    "FaultSuite",
    "HangSuite",
    "KeySuite",
    "Listener",
    "LockSuite",
    "LookupSuite",
    "LossSuite",
    "OutageSuite",
    "Suite",
    "context",
    "instance_of",
    "require",
]


class BackendSuite(RegistrationRules, WatchRules):
    """What every backend must do."""


class KeySuite(KeyVersionRules, KeyWatchRules):
    """What every backend with keys must do."""


class LockSuite(LockLossRules):
    """What every backend with locks must do."""
