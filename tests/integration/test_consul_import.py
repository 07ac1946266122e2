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
    assert not {*unwanted, "logging", "threading", "urllib.parse", "base64", "ipaddress"} & set(loaded)
    assert {one for one in loaded if one.startswith("consul.api.")} == {"consul.api.agent", "consul.api.health"}


def test_what_is_imported_later_works_when_it_is_used() -> None:
    run("""
from corepilot_consul import light_consul
import os, sys
import consul.base
assert not {"logging", "urllib.parse", "base64", "consul.api.kv"} & {*sys.modules}
class Client(light_consul.Consul):
    def http_connect(self, host, port, *_):
        self.where = host, port
        return self
    def get(self, callback, path, params, headers):
        return path
os.environ["CONSUL_HTTP_ADDR"] = "http://[::1]:8501"
client = Client()
assert client.where == ("::1", 8501)
assert client.catalog.services() == "/v1/catalog/services"
import consul.api.catalog, consul.api.kv
assert client.catalog.services.__func__ is consul.api.catalog.Catalog.services
item = consul.callback.CB.json(one=True, decode="Value")(light_consul.Response(200, {}, '[{"Value": "aGVsbG8="}]'))
assert item["Value"] == b"hello"
consul.base.log.warning("%s", "said")
import logging
assert type(logging).__name__ == type(sys.modules["urllib.parse"]).__name__ == "module"
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
