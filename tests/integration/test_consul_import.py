"""The one import that is done with placeholders, each case in an interpreter of its own."""

from pathlib import Path

from interpreter import run


def test_the_backend_brings_neither_requests_nor_its_relatives() -> None:
    loaded = run("""
from corepilot_consul import plugin
import sys
plugin.corepilot_register_backend()
print(*sys.modules)
""").split()
    assert "consul.base" in loaded
    unwanted = {"requests", "urllib3", "importlib.metadata", "email", "http.client", "ssl", "asyncio"}
    assert not {*unwanted, "logging", "threading", "ipaddress"} & set(loaded)


def test_what_is_imported_later_works_when_it_is_used() -> None:
    run("""
from corepilot_consul import light_consul
import sys, urllib.parse
import consul.base
assert not {"logging", "ipaddress"} & {*sys.modules}
assert urllib.parse.urlsplit("http://[::1]:8500/x").hostname == "::1"
try:
    urllib.parse.urlsplit("http://[127.0.0.1]/")
except ValueError:
    pass
consul.base.log.warning("%s", "said")
import ipaddress, logging
assert type(logging).__name__ == type(ipaddress).__name__ == "module"
consul.base.log.setLevel(logging.ERROR)
assert logging.getLogger("consul.base").level == logging.ERROR
""")


def test_afterwards_the_real_modules_can_be_imported() -> None:
    run("""
from corepilot_consul import light_consul
import importlib.metadata, requests, sys
assert importlib.metadata.version("py-consul")
assert requests.get and requests.Response.__module__ == "requests.models"
assert sys.modules["requests"] is requests
""")


def test_what_is_loaded_already_is_used_and_stays() -> None:
    run("""
import requests, importlib.metadata, sys
before = requests, importlib.metadata
from corepilot_consul import light_consul
import consul
assert (sys.modules["requests"], sys.modules["importlib.metadata"]) == before
assert consul.std.requests is requests and consul.__version__ != "unknown"
assert consul.Consul("127.0.0.1", 1).http.session
""")


def test_a_py_consul_that_is_loaded_already_is_used() -> None:
    run("""
import consul.base
from corepilot_consul import light_consul
assert light_consul.Consul is consul.base.Consul
""")


def test_a_release_that_needs_more_is_imported_whole(tmp_path: Path) -> None:
    run(f"""
import os, sys
os.makedirs({str(tmp_path)!r} + "/consul")
files = {{
    "__init__": "from consul.std import Session",
    "std": "from requests import Session",
    "base": "from consul.std import Session\\nclass Consul: pass\\nclass HTTPClient: pass\\nclass Response: pass",
    "callback": "class CB: pass",
    "exceptions": "class ConsulException(Exception): pass",
}}
for name, text in files.items():
    with open({str(tmp_path)!r} + "/consul/" + name + ".py", "w") as file:
        file.write(text)
sys.path.insert(0, {str(tmp_path)!r})
from corepilot_consul import light_consul
import requests
assert sys.modules["consul.std"].Session is requests.Session
""")
