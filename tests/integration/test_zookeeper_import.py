"""The one import that is done with placeholders, each case in an interpreter of its own."""

import inspect

from corepilot_zookeeper import light_kazoo
from corepilot_zookeeper.client import Client
from interpreter import run


def test_the_backend_brings_neither_ssl_nor_recipes() -> None:
    loaded = run("""
from corepilot_zookeeper import plugin
import sys
plugin.corepilot_register_backend()
print(*sys.modules)
""").split()
    assert "kazoo.client" in loaded
    assert not {"ssl", "logging", "hashlib", "uuid", "ipaddress", "gevent.ssl", "gevent.selectors"} & set(loaded)
    assert not [name for name in loaded if name.startswith(("kazoo.recipe.", "kazoo.handlers.threading"))]


def test_afterwards_the_real_modules_can_be_imported() -> None:
    run("""
from corepilot_zookeeper import light_kazoo
import kazoo.recipe.lock, logging, ssl, sys
import kazoo.protocol.connection
assert issubclass(kazoo.protocol.connection.ssl.SSLError, OSError)
assert kazoo.recipe.lock.Lock.__init__ and sys.modules["ssl"] is ssl
kazoo.client.log.setLevel(logging.ERROR)
assert logging.getLogger("kazoo.client").level == logging.ERROR
""")


def test_what_is_loaded_already_is_used_and_stays() -> None:
    run("""
import kazoo.client, ssl, sys
from corepilot_zookeeper import light_kazoo
assert light_kazoo.KazooClient is kazoo.client.KazooClient and sys.modules["ssl"] is ssl
assert light_kazoo.KazooClient().Lock("/x")
""")


def test_kazoo_still_has_what_is_replaced_in_it() -> None:
    """These are not public: another release may have others, and the requirement has to stay where it is then."""
    connection = light_kazoo.ConnectionHandler
    replaced = {
        "_expand_client_hosts": "(self)",
        "_connect_loop": "(self, retry)",
        "_read": "(self, length, timeout)",
        "_write": "(self, msg, timeout)",
        "_invoke": "(self, timeout, request, xid=None)",
        "_read_watch_event": "(self, buffer, offset)",
    }
    assert {name: str(inspect.signature(getattr(connection, name))) for name in replaced} == replaced
    assert str(inspect.signature(Client._call)) == "(self, request, async_object)"
