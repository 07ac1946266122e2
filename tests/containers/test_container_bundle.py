"""The bundle in images that have no Python: it starts, supervises, answers and stops as an installed corepilot does."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from bundles import bundle
from containers import images
from containers.container import CHECKOUT, Container
from eventually import eventually

pytestmark = pytest.mark.timeout(600)  # the first test may have to make the bundle

HOSTILE = {
    "LD_PRELOAD": "/no/such.so",
    "LD_LIBRARY_PATH": "/bogus",
    "LC_ALL": "de_DE.ISO-8859-1",
    "GLIBC_TUNABLES": "glibc.malloc.check=3",
    "PYTHONHOME": "/bogus",
    "PYTHONPATH": "/bogus",
    "OPENSSL_CONF": "/bogus",
    "COREPILOT_BUNDLE": "mine",
    "COREPILOT_HELD_X": "mine too",
}
"""No variable of a musl program among them, for a job gets them all, and musl's loader heeds LD_ as well."""


@pytest.fixture(scope="module", params=sorted(images.IMAGES))
def image(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    name: str = request.param
    return images.make(name, tmp_path_factory.mktemp("image") / name)


def container(image: Path, directory: Path, configuration: str, *args: str, **env: str) -> Container:
    words = args or ("corepilot",)
    place = {bundle() / "corepilot": images.PLACE}
    return Container(configuration, directory, args=words, env=env, image=image, read_only=place)


def test_a_supervisor_runs_answers_and_stops(image: Path, tmp_path: Path) -> None:
    jobs = '{name: "main", exec: "job wait"}, {name: "told", exec: "job tell hello", user: "root"}'
    with container(image, tmp_path, f"{{jobs: [{jobs}]}}") as running:
        running.until("waiting")
        running.until("hello")
        assert running.execute("corepilot", "ping").returncode == 0
        states = {job["name"]: job["state"] for job in running.status()["jobs"]}
        assert states["main"] == "running"
        assert running.execute("containerpilot", "-ping").stdout == "ok\n"
        assert running.execute("corepilot", "health").returncode == 0
        assert running.stop() == 0
        assert "Traceback" not in running.output


def test_the_status_is_the_jobs(image: Path, tmp_path: Path) -> None:
    with container(image, tmp_path, "", "corepilot", "--", "job", "exit", "7") as running:
        assert running.wait() == 7


@pytest.mark.parametrize("wrapped", [True, False])
def test_the_environment_is_the_jobs_and_not_the_interpreters(image: Path, tmp_path: Path, wrapped: bool) -> None:  # noqa: FBT001
    args = ("corepilot", "--", "job", "env") if wrapped else ("corepilot",)
    configuration = "" if wrapped else '{jobs: [{name: "env", exec: "job env"}], logging: {format: "text"}}'
    with container(image, tmp_path, configuration, *args, **HOSTILE) as running:
        assert running.wait() == 0
        for name, value in HOSTILE.items():
            assert f"{name}={value}" in running.output
        assert "LC_ALL=C\n" not in running.output
        assert f"={images.PLACE}" not in running.output


DATA = CHECKOUT / "tests" / "data" / "config"
CASES = json.loads((DATA / "CASES.json").read_text())


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["distroless", "musl"])
def test_configurations_are_judged_as_everywhere(kind: str, tmp_path: Path) -> None:
    image = images.make(kind, tmp_path / "image")
    place = {bundle() / "corepilot": images.PLACE, DATA: "/data"}
    jobs = '{jobs: [{name: "main", exec: "job wait"}]}'
    with Container(jobs, tmp_path / "a", image=image, read_only=place) as running:
        for case in CASES:
            variables = [f"{name}={value}" for name, value in case.get("environment", {}).items()]
            file = f"/data/{case['file']}"
            said = running.execute("job", "with", *variables, "--", "corepilot", "check", file)
            errors = case.get("errors", [])
            assert said.returncode == (1 if errors else 0), said.stdout + said.stderr
            lines = sorted({line for _, line in errors})
            assert [line for line in lines if f"{file}:{line}:" not in said.stdout + said.stderr] == []
        assert running.stop() == 0


@pytest.mark.slow
def test_hello_world_runs_without_a_python_of_the_image(tmp_path: Path) -> None:
    """Its three corepilots are jobs of a fourth, and its programs run on the bundle's Python."""
    image = images.make("debian", tmp_path / "image")
    place = {bundle() / "corepilot": images.PLACE, CHECKOUT / "examples" / "hello-world": "/hello-world"}
    env = {"PATH": f"{images.PLACE}/bin:/usr/bin:/bin", "RUN": "/tmp"}
    jobs = ", ".join(
        f'{{name: "{name}", exec: "corepilot run -c {name}/corepilot.json5", cwd: "/hello-world"}}'
        for name in ("hello", "world", "front")
    )
    ask = "import sys, urllib.request as r; print(r.urlopen(f'http://127.0.0.1:8080/{sys.argv[1]}').read().decode())"
    configuration = f'{{control: {{socket: "/run/top.socket"}}, jobs: [{jobs}]}}'
    with Container(configuration, tmp_path / "a", env=env, image=image, read_only=place) as running:

        def answers(name: str) -> bool:
            return f"{name}-1" in running.execute("python3", "-I", "-c", ask, name).stdout

        eventually(lambda: answers("hello") and answers("world"), 60, "both to be found by the front end")
        assert running.stop() == 0


PRELOADED = """
#include <unistd.h>
__attribute__((constructor)) static void loaded(void) { if (write(2, "LOADED FROM THE IMAGE\\n", 22)) {} }
"""


def test_no_library_of_the_images_is_loaded(tmp_path: Path) -> None:
    """Neither what /etc/ld.so.preload names, nor a module of the name service, nor one from a folder of the system."""
    image = images.make("debian", tmp_path / "image")
    library = image / "lib" / "x86_64-linux-gnu" / "libnss_strange.so.2"
    options = ["-shared", "-fPIC", "-x", "c", "-", "-o", str(library)]
    subprocess.run(["gcc", *options], input=PRELOADED, text=True, check=True, timeout=60)
    (image / "etc" / "ld.so.preload").write_text("/lib/x86_64-linux-gnu/libnss_strange.so.2\n")
    (image / "etc" / "nsswitch.conf").write_text("passwd: files strange\nhosts: strange files\n")
    jobs = (
        '{name: "main", exec: "job wait", user: "nobody-here", health: {http: "http://no.such.host:1/", interval: 1}}'
    )
    with container(image, tmp_path / "a", f"{{jobs: [{jobs}]}}") as running:
        assert running.wait() == 1
        assert "nobody-here" in running.output
        assert "LOADED" not in running.output
        assert "ld.so" not in running.output
    with container(image, tmp_path / "b", "", "corepilot", "--", "job", "tell", "done") as running:
        assert running.wait() == 0
        assert "LOADED" in running.output, "the job's own loader heeds it"


@pytest.mark.slow
def test_a_plugin_in_the_folder_for_plugins_is_used(tmp_path: Path) -> None:
    """As docs/how-to/bundle.md says: pip puts it into a folder, and that is copied to /opt/corepilot/plugins."""
    corepilot = bundle() / "corepilot" / "bin" / "corepilot"
    new = [corepilot, "plugins", "new", "command", "answer", "--directory", tmp_path]
    subprocess.run(list(map(str, new)), check=True, timeout=60)
    project = next(path.parent for path in tmp_path.glob("*/pyproject.toml"))
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--target"]
    subprocess.run([*pip, tmp_path / "plugins", project], check=True, timeout=300)
    image = images.make("musl", tmp_path / "image")
    place = {bundle() / "corepilot": images.PLACE, tmp_path / "plugins": f"{images.PLACE}/plugins"}
    args = ("corepilot", "plugins", "list", "--load", "-o", "json")
    with Container("", tmp_path / "a", args=args, image=image, read_only=place) as running:
        assert running.wait() == 0
        one = next(plugin for plugin in json.loads(running.output) if plugin["name"] == "answer")
        assert one["file"].startswith(f"{images.PLACE}/plugins/")
        assert one["state"] == "enabled"


def test_the_plugins_are_there(image: Path, tmp_path: Path) -> None:
    with container(image, tmp_path, "", "corepilot", "plugins", "list", "-o", "json") as running:
        assert running.wait() == 0
        plugins = json.loads(running.output)
    assert {"embedded", "consul", "etcd", "zookeeper", "prometheus", "otlp", "statsd"} <= {
        one["name"] for one in plugins
    }
    assert {one["state"] for one in plugins} == {"not named"}
