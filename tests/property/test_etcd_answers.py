"""Whatever etcd answers, and whatever stands in its keys: a value of ours, or an error of the contract."""

import json
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from corepilot_etcd.encoding import Found, found_in, found_otherwise, span_below, text_of
from corepilot_etcd.leases import Leases, keep_alive
from corepilot_etcd.mirror import Mirror
from corepilot_etcd.plugin import Options
from corepilot_etcd.record import instance_key, instance_of, record_of, services_below
from corepilot_etcd.refusals import error_of
from corepilot_etcd.registrations import Registrations
from corepilot_etcd.transport import Transport
from hypothesis import given
from hypothesis import strategies as st

from corepilot.errors import BackendError
from corepilot.model.service import Instance, Registration

NAMES = st.sampled_from(
    ["header", "kvs", "kv", "key", "value", "mod_revision", "create_revision", "lease", "revision", "count", "more",
     "result", "responses", "response_range", "succeeded", "events", "type", "TTL", "ID", "canceled", "created",
     "cancel_reason", "compact_revision", "error", "code", "message", "fragment"]
)  # fmt: skip
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.integers(-3, 2**64).map(str)
    | st.binary(max_size=6).map(text_of)
)
VALUES: Any = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=6), max_leaves=20
)
MESSAGES = st.dictionaries(NAMES, VALUES, max_size=8)


class Answering(Transport):
    """Answers everything with what it was given, in a circle."""

    def __init__(self, answers: list[dict[str, Any]], most: int = 20) -> None:
        super().__init__(Options())
        self._answers, self._left = answers, most

    def call(self, path: str, message: Mapping[str, Any], **_more: Any) -> dict[str, Any]:  # noqa: ARG002
        self._left -= 1
        if self._left < 0:
            raise error_of(path, 503, None)
        return self._answers[self._left % len(self._answers)]


@given(st.lists(MESSAGES, min_size=1, max_size=3))
def test_a_mirror_reads_any_answer_or_refuses_it(answers: list[dict[str, Any]]) -> None:
    mirror: Mirror[tuple[str, Found]] = Mirror(Answering(answers), span_below("/a/"), lambda found: ("", found))
    with suppress(BackendError):
        mirror.load()
        assert all(isinstance(one, Found) for _, one in mirror.values())


@given(st.lists(MESSAGES, min_size=1, max_size=3))
def test_a_mirror_applies_any_message_or_refuses_it(messages: list[dict[str, Any]]) -> None:
    mirror: Mirror[tuple[str, Found]] = Mirror(Answering([{}]), span_below("/a/"), lambda found: ("", found))
    for message in messages:
        before = mirror.revision
        with suppress(ValueError):
            mirror._apply(message)
        assert mirror.revision >= before


@given(st.lists(MESSAGES, min_size=1, max_size=3))
def test_registrations_and_leases_take_any_answer_or_refuse_it(answers: list[dict[str, Any]]) -> None:
    transport = Answering(answers)
    leases = Leases(transport)
    registrations = Registrations(transport, leases, "/corepilot")
    web = Registration("web-1", "web", "192.0.2.7", 80)
    for call in (
        lambda: registrations.register(web, "passing", ""),
        lambda: registrations.report("web-1", "warning", "", 10),
        registrations.lapse,
        lambda: registrations.deregister("web-1"),
        registrations.settle,
        lambda: keep_alive(transport, 7, 10),
    ):
        with suppress(BackendError):
            call()


@given(VALUES, st.integers(0, 999), st.text(max_size=8))
def test_any_error_is_one_of_the_contract(body: Any, status: int, secret: str) -> None:
    error = error_of("ask", status, body, secret)
    assert isinstance(error, BackendError)
    assert len(str(error)) < 600


@given(MESSAGES)
def test_any_message_is_a_key_or_a_value_error(message: dict[str, Any]) -> None:
    with suppress(ValueError):
        found_in(message)
    with suppress(ValueError):
        found_otherwise(message)


@given(st.binary(max_size=20), st.binary(max_size=60) | VALUES.map(lambda value: json.dumps(value).encode()))
def test_any_value_is_an_instance_or_a_value_error(name: bytes, value: bytes) -> None:
    with suppress(ValueError):
        assert isinstance(instance_of("web", name, value), Instance)


REGISTRATIONS = st.builds(
    Registration,
    id=st.text(min_size=1, max_size=20).filter(lambda text: text.isprintable()),
    service=st.just("web"),
    address=st.sampled_from(["192.0.2.7", "::1"]),
    port=st.integers(1, 65535),
    tags=st.lists(st.text(max_size=8).filter(lambda text: text.isprintable()), max_size=3).map(tuple),
    notes=st.text(max_size=8),
)


@given(REGISTRATIONS, st.sampled_from(["passing", "warning", "critical"]), st.text(max_size=20))
def test_what_is_written_is_read(one: Registration, status: Any, output: str) -> None:
    span = services_below("/corepilot", one.service)
    key = instance_key("/corepilot", one)
    assert span.key <= key < span.end
    found = instance_of(one.service, key[len(span.key) :], record_of(one, status, output))
    assert found == Instance(one.id, one.service, one.address, one.port, status, one.tags)
