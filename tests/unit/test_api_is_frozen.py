"""What a plugin made for an earlier version of the interface relies on is still there."""

import copy
import functools
import hashlib
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))

import api_surface  # noqa: E402  - a tool, and no module of ours

from corepilot.plugin.hookspec import API_VERSION  # noqa: E402  - as above

FROZEN = sorted((ROOT / "tests" / "api").glob("*/surface.json"))
NEVER_CHANGED = {"1.0": "8a61b3905185682f3c58ec75331b328c88748b0d2fce5b41c1d73fa2345d09c1"}
"""SHA-256 of everything in `tests/api/VERSION`."""
BACKEND = "corepilot.discovery.backend.Backend"
CLIENT = "corepilot.http.client.Client"
REGISTRATION = "corepilot.model.service.Registration"

surface = functools.cache(api_surface.surface)
"""It takes a fifth of a second, and nothing changes it."""

Change = Callable[[dict[str, Any]], object]


@pytest.mark.parametrize("path", FROZEN, ids=lambda path: path.parent.name)
def test_what_is_frozen_is_not_changed(path: Path) -> None:
    digest = hashlib.sha256()
    for one in sorted(path.parent.rglob("*")):
        if one.is_file() and "__pycache__" not in one.parts:
            digest.update(f"{one.relative_to(path.parent)}\n".encode() + one.read_bytes())
    assert digest.hexdigest() == NEVER_CHANGED[path.parent.name]


def test_every_minor_version_is_frozen() -> None:
    assert [path.parent.name for path in FROZEN] == list(NEVER_CHANGED) == [API_VERSION]


@pytest.mark.parametrize("path", FROZEN, ids=lambda path: path.parent.name)
def test_nothing_is_broken_for_plugins_made_for(path: Path) -> None:
    assert api_surface.broken(json.loads(path.read_text()), surface()) == []


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (lambda now: now["names"].pop(CLIENT), f"{CLIENT}: it is gone"),
        (lambda now: now["kinds"].pop("sink"), "the kind sink was"),
        (lambda now: now["kinds"]["sink"].update(group="corepilot.sink"), "the kind sink was"),
        (lambda now: now["names"][CLIENT]["methods"].pop("close"), "close: it is gone"),
        (lambda now: now["names"][CLIENT]["methods"]["request"].remove("*: deadline_s"), "deadline_s is gone"),
        (lambda now: now["names"][CLIENT]["methods"]["request"].append("*: proxy"), "proxy must be given now"),
        (lambda now: now["names"][CLIENT]["methods"]["request"].insert(1, "proxy="), "in the order of"),
        (lambda now: now["names"][CLIENT]["attributes"].remove("origin"), "without origin"),
        (lambda now: now["names"][REGISTRATION]["call"].append("weight"), "weight must be given now"),
        (lambda now: now["names"][BACKEND]["methods"]["report"].append("*: since_s="), "plugins write it as"),
        (lambda now: now["names"][BACKEND]["abstract"].append("ping"), "ping must be written now"),
        (lambda now: now["names"]["corepilot.model.event.CODES"]["members"].remove("changed"), "without changed"),
        (lambda now: now["names"]["corepilot.model.service.Status"]["members"].remove("warning"), "without warning"),
        (lambda now: now["names"]["corepilot.plugin.option"]["call"].remove("*: default="), "default is gone"),
        (lambda now: now["names"]["corepilot.errors.LockLostError"]["bases"].remove("BackendError"), "without Back"),
    ],
)
def test_what_would_break_a_plugin_is_found(change: Change, fault: str) -> None:
    then = surface()
    now = copy.deepcopy(then)
    change(now)
    found = api_surface.broken(then, now)
    assert len(found) == 1
    assert fault in found[0]


@pytest.mark.parametrize(
    "change",
    [
        lambda now: now["names"].update({"corepilot.errors.NewError": {"bases": []}}),
        lambda now: now["kinds"].update({"store": {"group": "corepilot.stores", "hook": "corepilot_register_store"}}),
        lambda now: now["names"][CLIENT]["methods"]["request"].append("*: proxy="),
        lambda now: now["names"][REGISTRATION]["call"].append("weight="),
        lambda now: now["names"][BACKEND]["methods"].update(ping=["self"]),
        lambda now: now["names"]["corepilot.model.event.CODES"]["members"].append("ready"),
    ],
)
def test_what_is_new_and_optional_breaks_nothing(change: Change) -> None:
    then = surface()
    now = copy.deepcopy(then)
    change(now)
    assert api_surface.broken(then, now) == []
