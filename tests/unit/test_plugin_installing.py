"""What somebody is told who has to install a plugin: it works in the environment that says so."""

import importlib.util
import sys

import pytest

from corepilot.plugin.installing import advice
from corepilot.system.bundled import MARK


def test_an_environment_with_pip_installs_with_its_own() -> None:
    assert advice("corepilot-etcd") == f"install it with: {sys.executable} -m pip install corepilot-etcd"
    again = f"install it again with: {sys.executable} -m pip install --force-reinstall corepilot-note"
    assert advice("corepilot-note", again=True) == again


def test_an_environment_without_pip_takes_another_pip(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "pip" else pytest.fail(name))
    monkeypatch.setattr(sys, "executable", "/opt/my corepilot/bin/python")
    begin = "pip --python '/opt/my corepilot/bin/python' install"
    assert advice("corepilot-etcd") == f"install it with: {begin} corepilot-etcd"
    assert advice("note", again=True) == f"install it again with: {begin} --force-reinstall note"


def test_a_bundle_takes_a_plugin_into_its_folder_and_is_copied_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(MARK, "/opt/corepilot")
    assert advice("corepilot-etcd").startswith(f"install it with: {sys.executable} "), "somebody has set the variable"
    monkeypatch.setattr(sys, "executable", "/opt/corepilot/bin/python3")
    version = ".".join(map(str, sys.version_info[:2]))
    assert advice("corepilot-note", again=True) == (
        f"install it again with the pip of a Python {version}: "
        "pip install --upgrade --target /opt/corepilot/plugins corepilot-note"
    )
    for ours in ("corepilot-etcd", "corepilot[containerpilot]"):
        assert advice(ours) == "copy the whole bundle to /opt/corepilot again, which brings it"
