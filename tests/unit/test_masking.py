"""Secrets in whatever form a plugin writes them."""

import base64
import json
import urllib.parse

import pytest

from corepilot.plugin.boundary import Boundary
from corepilot.plugin.manager import Loaded

SECRET = 'pa"ss\\wo/rd ü+1'


@pytest.mark.parametrize(
    "form",
    [
        SECRET,
        repr(SECRET),
        repr((SECRET, 1)),
        repr(SECRET.encode()),
        json.dumps({"token": SECRET}),
        json.dumps(SECRET, ensure_ascii=False),
        urllib.parse.quote(SECRET),
        urllib.parse.quote(SECRET, safe=""),
        urllib.parse.quote_plus(SECRET),
        base64.b64encode(SECRET.encode()).decode(),
        str(KeyError(SECRET)),
    ],
)
def test_a_secret_is_masked_in_every_form(form: str) -> None:
    loaded = Loaded("audit", "observer", None, None, frozenset(), __name__, "corepilot-audit 1.2", ("", SECRET))
    masked = Boundary(loaded, lambda _level, _text: None).masked(f"a {form} b")
    assert "***" in masked
    assert "ss" not in masked.replace("***", "")
