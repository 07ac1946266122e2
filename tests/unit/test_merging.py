"""How a later document changes what earlier ones say, and that every value keeps its place."""

from typing import Any

import pytest

from corepilot.config.text.json5 import parse
from corepilot.config.text.json5_document import Document
from corepilot.config.text.merging import NameTwice, merge, shift


def side_by_side(*texts: str) -> list[Document]:
    documents, start = [], 0
    for text in texts:
        document = parse(text)
        shift(document, start)
        documents.append(document)
        start += len(text) + 1
    return documents


def merged(*texts: str) -> Any:
    whole, faults = merge(side_by_side(*texts))
    assert faults == []
    return whole.root.plain()


def faults(*texts: str) -> list[NameTwice]:
    return merge(side_by_side(*texts))[1]


@pytest.mark.parametrize(
    ("texts", "result"),
    [
        # objects merge, for everything else the later one counts
        (["{a: 1}", "{b: 2}"], {"a": 1, "b": 2}),
        (["{a: 1}", "{a: 'x'}"], {"a": "x"}),
        (["{a: {b: 1, c: {d: 2}}}", "{a: {c: {e: 3}}}"], {"a": {"b": 1, "c": {"d": 2, "e": 3}}}),
        (["{a: [1, 2]}", "{a: [3]}"], {"a": [3]}),
        (["{a: {b: 1}}", "{a: 'x'}"], {"a": "x"}),
        (["{a: 'x'}", "{a: {b: 1}}"], {"a": {"b": 1}}),
        (["{a: 1}", "{a: 2}", "{a: 3}"], {"a": 3}),
        (
            ['{locks: [{name: "a", t: 1}], render: [{to: "x"}]}', '{locks: [{name: "a", t: 2}], render: [{to: "y"}]}'],
            {"locks": [{"name": "a", "t": 2}], "render": [{"to": "x"}, {"to": "y"}]},
        ),
        # null removes
        (["{a: 1, b: 2}", "{a: null}"], {"b": 2}),
        (["{a: {b: 1, c: 2}}", "{a: {b: null}}"], {"a": {"c": 2}}),
        (["{a: {b: 1}}", "{a: null}", "{a: {c: 2}}"], {"a": {"c": 2}}),
        (["{a: [1]}", "{a: [null]}"], {"a": [None]}),
        # … and where there is nothing to remove it is judged, as a misspelt key should be
        (["{a: null}", "{b: null}"], {"a": None, "b": None}),
        # below the top keys are the same in any case
        (["{logging: {level: 'info'}}", "{logging: {LEVEL: 'debug'}}"], {"logging": {"level": "debug"}}),
        (["{logging: {}}", "{Logging: {}}"], {"logging": {}, "Logging": {}}),
        (["{jobs: [{name: 'a', Exec: 'x'}]}", "{jobs: [{NAME: 'a', exec: null}]}"], {"jobs": [{"name": "a"}]}),
        # a catalog of another backend takes the place of the earlier one
        (["{discovery: {backend: 'a', x: 1}}", "{discovery: {backend: 'b'}}"], {"discovery": {"backend": "b"}}),
        (["{discovery: {backend: 'a', x: 1}}", "{discovery: {Backend: 'a'}}"], {"discovery": {"backend": "a", "x": 1}}),
        (["{discovery: {backend: 'a'}}", "{discovery: {x: 2}}"], {"discovery": {"backend": "a", "x": 2}}),
        (["{discovery: {a: {x: 1}}}", "{discovery: {backend: 'b'}}"], {"discovery": {"backend": "b"}}),
        (["{discovery: {a: {x: 1}}}", "{discovery: {a: {backend: 'b'}}}"], {"discovery": {"a": {"backend": "b"}}}),
        (
            ["{discovery: {b: {x: 1}}}", "{discovery: {b: {backend: 'b'}}}"],
            {"discovery": {"b": {"x": 1, "backend": "b"}}},
        ),
        # and so do several, which options of the one are not
        (
            ["{discovery: {backend: 'a', x: 1}}", "{discovery: {a: {y: 1}, b: {Backend: 'b'}}}"],
            {"discovery": {"a": {"y": 1}, "b": {"Backend": "b"}}},
        ),
        (
            ["{discovery: {backend: 'a', x: {y: 1}}}", "{discovery: {x: {file: 'f'}}}"],
            {"discovery": {"backend": "a", "x": {"y": 1, "file": "f"}}},
        ),
        (["{other: {backend: 'a', x: 1}}", "{other: {backend: 'b'}}"], {"other": {"backend": "b", "x": 1}}),
        # jobs, watches and metrics merge by name
        (
            ["{jobs: [{name: 'a', port: 1}, {name: 'b'}]}", "{jobs: [{name: 'c'}, {name: 'a', tags: ['x']}]}"],
            {"jobs": [{"name": "a", "port": 1, "tags": ["x"]}, {"name": "b"}, {"name": "c"}]},
        ),
        (["{watches: [{name: 'a'}]}", "{watches: [{name: 'a', tag: 't'}]}"], {"watches": [{"name": "a", "tag": "t"}]}),
        (
            ["{telemetry: {Metrics: [{name: 'a'}]}}", "{telemetry: {metrics: [{name: 'b'}, {name: 'a', help: 'h'}]}}"],
            {"telemetry": {"Metrics": [{"name": "a", "help": "h"}, {"name": "b"}]}},
        ),
        (["{jobs: [{name: 'a'}]}", "{jobs: null}"], {}),
        (["{jobs: [{name: 'a'}]}", "{jobs: {name: 'a'}}"], {"jobs": {"name": "a"}}),
        (["{jobs: [{name: 5}]}", "{jobs: [{name: '5', port: 1}]}"], {"jobs": [{"name": "5", "port": 1}]}),
        # what has no name is only appended
        (
            ["{jobs: [{exec: 'x'}, null]}", "{jobs: [{exec: 'x'}, null, 7]}"],
            {"jobs": [{"exec": "x"}, None, {"exec": "x"}, None, 7]},
        ),
        # other arrays of objects do not merge, whatever they hold
        (["{observers: [{name: 'a'}]}", "{observers: [{name: 'b'}]}"], {"observers": [{"name": "b"}]}),
        (["{metrics: [{name: 'a'}]}", "{metrics: [{name: 'b'}]}"], {"metrics": [{"name": "b"}]}),
    ],
)  # fmt: skip
def test_what_becomes_of_documents(texts: list[str], result: Any) -> None:
    assert merged(*texts) == result
    whole = merge(side_by_side(*texts))[0].root.plain()
    assert repr(whole) == repr(result), "the order of keys"


def test_one_document_stays_as_it_is() -> None:
    (document,) = side_by_side("{jobs: [{name: 'a'}, {name: 'a'}], b: null}")
    assert merge([document]) == (document, [])


@pytest.mark.parametrize(
    ("texts", "names"),
    [
        (["{jobs: [{name: 'a'}, {name: 'a'}]}", "{jobs: [{name: 'a'}]}"], ["a"]),
        (["{jobs: [{name: 'a'}]}", "{jobs: [{name: 'b'}, {name: 'a'}, {NAME: 'a'}]}"], ["a"]),
        # Nothing has to be merged: as in a single file, two jobs may have one name.
        (["{jobs: [{name: 'a'}, {name: 'a'}]}", "{logging: {}}"], []),
        (["{jobs: [{name: 'b'}]}", "{jobs: [{name: 'a'}, {name: 'a'}]}"], []),
        (["{watches: [{name: 'a'}, {name: 'a'}]}", "{watches: [{name: 'a'}]}"], ["a"]),
    ],
)
def test_a_name_that_is_twice_in_one_document_cannot_be_merged(texts: list[str], names: list[str]) -> None:
    assert [one.name for one in faults(*texts)] == names


def test_both_places_of_such_a_name_are_known() -> None:
    first, second = "{jobs: [{name: 'a'}]}", "{jobs: [{name: 'a'}, {name: 'a'}]}"
    (fault,) = faults(first, second)
    both = f"{first}\n{second}"
    assert fault.first == both.index("{name", len(first))
    assert fault.second == both.rindex("{name")


def test_every_value_keeps_its_place() -> None:
    first, second = "{a: 1, b: {c: 2}, jobs: [{name: 'x', port: 3}]}", "{b: {d: 44}, jobs: [{name: 'x', PORT: 55}]}"
    both = f"{first}\n{second}"
    root = merge(side_by_side(first, second))[0].root
    job = root.value["jobs"].node.value[0]
    port = job.value["port"]
    assert both[port.node.start : port.node.end] == "55"
    assert both[port.key_start : port.key_end] == "PORT"
    assert job.start == both.index("{name"), "an object has the place of the first document that has it"
    inner = root.value["b"]
    assert both[inner.key_start : inner.key_end] == "b"
    assert inner.key_start < len(first)
    assert both[inner.node.value["d"].node.start :].startswith("44")


def test_duplicates_of_all_documents_are_kept() -> None:
    first, second = "{a: 1, a: 2}", "{b: 1, b: 2}"
    whole = merge(side_by_side(first, second))[0]
    both = f"{first}\n{second}"
    assert [(one.key, both[one.second]) for one in whole.duplicates] == [("a", "a"), ("b", "b")]
