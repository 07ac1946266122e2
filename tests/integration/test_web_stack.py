"""The application of examples/web-stack without a container: a second document says what is different here."""

import json
import os
import pwd
import shutil
import socket
import sys
import tempfile
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path

import pytest
from eventually import eventually
from running import Corepilot

STACK = Path(__file__).resolve().parents[2] / "examples" / "web-stack"
POSTGRES = max(Path("/usr/lib/postgresql").glob("*/bin"), default=Path("/usr/lib/postgresql/none"))
HERE = """{
  discovery: { backend: "embedded", path: "DIRECTORY/catalog" },
  control: { socket: "DIRECTORY/control.socket" },
"""
# Root cannot run PostgreSQL; and nginx has workers of another user then, who need to reach gunicorn's socket.
AS_ROOT = """
  jobs: [
    { name: "cluster", user: "postgres" },
    { name: "db", user: "postgres" },
    { name: "app", listen: { address: "DIRECTORY/app.socket", mode: "0666" } },
  ],
"""

pytestmark = pytest.mark.slow


@pytest.fixture
def here() -> Iterator[Path]:
    """A directory in the place of the container's /tmp; a socket has a short name."""
    made = Path(tempfile.mkdtemp(prefix="web-", dir="/tmp"))
    made.chmod(0o755)
    (made / "postgres").mkdir()
    if os.geteuid() == 0:
        postgres = pwd.getpwnam("postgres")
        os.chown(made / "postgres", postgres.pw_uid, postgres.pw_gid)
        made.chmod(0o1777)
    yield made
    shutil.rmtree(made)


def test_the_same_file_serves_without_a_container(here: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = int(probe.getsockname()[1])
    for path in STACK.iterdir():
        if path.is_file():
            text = path.read_text().replace("/tmp", str(here)).replace("8080", str(port))
            (here / path.name).write_text(text)
    different = HERE + (AS_ROOT if os.geteuid() == 0 else "") + "}"
    (here / "here.json5").write_text(different.replace("DIRECTORY", str(here)))
    given = {
        "PATH": f"{sys.prefix}/bin:{os.environ['PATH']}",
        "APP": str(here),
        "POSTGRES": str(POSTGRES),
        "INTERFACE": "lo:inet",
    }
    text = (here / "corepilot.json5").read_text()
    with Corepilot(text, here, arguments=["-c", str(here / "here.json5")], environment=given) as corepilot:
        connection = HTTPConnection("127.0.0.1", port, timeout=30)
        corepilot.until('"Service registered: nginx as', deadline_s=60)
        connection.request("GET", "/visits")
        assert json.loads(connection.getresponse().read()) == {"visits": 1}
        connection.request("POST", "/work/greeting", b"hello, world")
        assert json.loads(connection.getresponse().read()) == {"job": "greeting"}

        def is_done() -> bool:
            connection.request("GET", "/work/greeting")
            found: object = json.loads(connection.getresponse().read())
            return found == {"job": "greeting", "length": 12}

        eventually(is_done, message="the work is done", pause_s=0.05)
        connection.close()
        assert corepilot.stop() == 0
        assert "database system is shut down" in corepilot.output
        assert "no process had to be killed" in corepilot.lines[-1]
