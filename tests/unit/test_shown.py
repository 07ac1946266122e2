"""A configuration in the debug log: everything that is set, and no secret."""

import json
from pathlib import Path
from typing import Any

from judging import SERVICE, accepted

from corepilot.config.diagnostics.shown import shown
from corepilot.model.configuration import Configuration
from corepilot.model.plugin import Options, PluginReference, Secret

ENVIRONMENT = {"DB_PASSWORD": 'hunter"22', "PORT": "80"}


def plain(configuration: Configuration) -> dict[str, Any]:
    text = shown(configuration, ENVIRONMENT)
    assert "\n" not in text
    found: dict[str, Any] = json.loads(text)
    return found


def test_it_says_what_is_set(tmp_path: Path) -> None:
    text = f"""{{ consul: false, stopTimeout: 7, jobs: [ {{ {SERVICE}, exec: ["a", "b"],
      when: {{ source: "x", once: "error" }} }}, {{ name: "b", when: {{ source: "SIGHUP" }} }} ] }}"""
    found = plain(accepted(text, tmp_path))
    first, second = found["jobs"]
    assert found["stop_timeout_s"] == 7
    assert found["location"] == str(tmp_path / "app.json5")
    assert first["command"]["argv"] == ["a", "b"]
    assert first["when"]["trigger"] == {"kind": "OnEvent", "code": "error", "source": "x"}
    assert second["when"]["trigger"] == {"kind": "OnSignal", "signal": "SIGHUP"}
    assert first["service"]["registration"]["port"] == 80
    assert found["telemetry"] is None
    assert not {"origins", "warnings"} & found.keys()


def test_it_tells_no_secret(tmp_path: Path) -> None:
    text = '{ jobs: [ { name: "a", exec: ["x", "--password=swordfish", {{ printf "%q" .DB_PASSWORD }}] } ] }'
    configuration = accepted(text, tmp_path, ENVIRONMENT)
    options = Options((("token", Secret("t0ps3cret")), ("forgotten", "t0ps3cret")))
    configuration = configuration.changed(catalogs=(("default", PluginReference("x", "m", "", "d", "1", options)),))
    text = shown(configuration, ENVIRONMENT)
    assert json.loads(text)["catalogs"][0][1]["options"] == ["forgotten", "token"]
    for secret in ("swordfish", "hunter", "t0ps3cret"):
        assert secret not in text
