"""The Dockerfiles in `images`, built by a real builder; containers made of the results start, are asked and stop."""

import signal
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from bundles import EPOCH, bundle
from containers import images
from containers.building import Builder, programs
from containers.container import CHECKOUT, Container

from corepilot.cli import init

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

FILES = CHECKOUT / "images"


@pytest.fixture(scope="module")
def builder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Builder]:
    made = Builder(tmp_path_factory.mktemp("builder") / "buildah")
    yield made
    made.remove()


@pytest.fixture(scope="module")
def with_bundle(builder: Builder) -> Builder:
    """With the first stage of bundle.Dockerfile, `made`, which the others share; what it installs is on the host."""
    installed = 'for word; do case $word in -*|install|update) ;; *) dpkg -s "$word" >/dev/null || exit 1; esac; done'
    builder.system("debian:bookworm-slim", {"apt-get": installed}, PYTHONHASHSEED="7", LC_ALL="C")
    builder.build(FILES / "bundle.Dockerfile", CHECKOUT, "made", target="build", SOURCE_DATE_EPOCH=str(EPOCH))
    return builder


def test_the_same_input_gives_the_same_bytes(with_bundle: Builder) -> None:
    """Of another folder, under another umask, with other seeds of hashes, in an image in place of this machine."""
    (archive,) = bundle().glob("*.tar.gz")
    assert (with_bundle.root("made") / "made" / archive.name).read_bytes() == archive.read_bytes()


def test_an_image_without_python(with_bundle: Builder, tmp_path: Path) -> None:
    folder = images.make("musl", tmp_path / "base")
    (folder / "usr" / "local" / "bin" / "corepilot").unlink()  # the Dockerfile makes it
    with_bundle.base("alpine:3", folder)
    file = FILES / "bundle.Dockerfile"
    with_bundle.build(file, CHECKOUT, "of-alpine", BASE="alpine:3", SOURCE_DATE_EPOCH=str(EPOCH))
    runs_as_the_image_says(with_bundle, "of-alpine", '"job wait"', tmp_path / "container")


def test_an_image_with_python(builder: Builder, tmp_path: Path) -> None:
    """It is small, and compiles nothing when it runs."""
    stubs = {"python3": f'exec {sys.executable} "$@"', "pip": f'exec {sys.executable} -I -m pip "$@"'}
    # What builds a wheel is here, so pip need not get it for each of them: 0 stands for "no isolation".
    builder.system("python:3.13-slim", stubs, PIP_NO_BUILD_ISOLATION="0")
    builder.build(FILES / "python.Dockerfile", CHECKOUT, "with-python", PLUGINS="")
    before = files_of(builder.root("with-python") / "opt" / "corepilot")
    assert sum(before.values()) <= 22_000_000
    job = '["/bin/sh", "-c", "echo waiting; exec sleep 1000"]'
    hosts = {path: str(path) for path in programs()}
    runs_as_the_image_says(builder, "with-python", job, tmp_path, hosts)
    assert files_of(tmp_path / "root" / "opt" / "corepilot") == before


def test_an_image_as_corepilot_init_writes_it(with_bundle: Builder, tmp_path: Path) -> None:
    here = tmp_path / "my-job"
    here.mkdir()
    texts = init.files_of("my-job", "job wait", 0, ("embedded", ""))
    for name, text in texts.items():
        (here / name).write_text(text)
    folder = images.make("debian", tmp_path / "base")
    (folder / "usr" / "local" / "bin" / "corepilot").unlink()
    with_bundle.base("debian:stable-slim", folder)
    with_bundle.build(FILES / "bundle.Dockerfile", CHECKOUT, "corepilot", SOURCE_DATE_EPOCH=str(EPOCH))
    with_bundle.build(here / "Dockerfile", here, "my-job")
    config, image = with_bundle.config("my-job"), with_bundle.root("my-job")
    written = (image / "etc" / "corepilot.json5").read_text()
    assert written == texts["corepilot.json5"]
    with Container(written, tmp_path / "container", args=config["Entrypoint"], image=image) as container:
        container.until("waiting")
        assert container.execute(*config["Healthcheck"]["Test"][1:]).stdout == "ok\n"
        assert container.stop(signal.Signals[config["StopSignal"]]) == 0


def files_of(folder: Path) -> dict[str, int]:
    """Path -> length."""
    found = [file for file in folder.rglob("*") if file.is_file() and not file.is_symlink()]
    return {str(file.relative_to(folder)): file.stat().st_size for file in found}


def runs_as_the_image_says(
    builder: Builder, tag: str, job: str, directory: Path, read_only: Mapping[Path, str] | None = None
) -> None:
    """Start a container as an engine does, ask for its health, and stop it."""
    config = builder.config(tag)
    assert config["Labels"]["org.opencontainers.image.title"] == "corepilot"
    health = config["Healthcheck"]
    assert (health["Test"][0], health["Timeout"], health["StartPeriod"]) == ("CMD", 6e9, 30e9)
    text = f'{{jobs: [{{name: "main", exec: {job}}}]}}'
    image = builder.root(tag)
    with Container(text, directory, args=config["Entrypoint"], image=image, read_only=read_only) as container:
        container.until("waiting")
        answer = container.execute(*health["Test"][1:])
        assert (answer.returncode, answer.stdout) == (0, "ok\n"), answer.stderr
        assert container.execute("containerpilot", "-ping").stdout == "ok\n"
        assert container.stop(signal.Signals[config["StopSignal"]]) == 0
