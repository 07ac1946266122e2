"""Laws of merging, over documents of every shape."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from corepilot.config.text.json5 import parse
from corepilot.config.text.json5_document import Document, Node
from corepilot.config.text.merging import merge, shift

KEYS = ("a", "b", "jobs", "watches", "telemetry", "metrics", "name")
scalars = st.one_of(st.none(), st.booleans(), st.integers(0, 9), st.sampled_from(("", "x", "y")))
values = st.recursive(
    scalars,
    lambda below: st.lists(below, max_size=3) | st.dictionaries(st.sampled_from(KEYS), below, max_size=3),
    max_leaves=8,
)
named = st.fixed_dictionaries({"name": st.sampled_from(("x", "y", "z"))}, optional={"a": values, "b": values})
elements = st.lists(st.one_of(named, named, values), max_size=4)
plain_documents = st.fixed_dictionaries(
    {},
    optional={
        **dict.fromkeys(("a", "b"), values),
        **dict.fromkeys(("jobs", "watches"), st.one_of(elements, elements, values)),
        "telemetry": st.one_of(st.fixed_dictionaries({}, optional={"metrics": elements, "port": scalars}), values),
    },
)
BY_NAME: Any = {"jobs": True, "watches": True, "telemetry": {"metrics": True}}


def documents(plain: list[Any]) -> tuple[list[Document], str]:
    """The documents side by side, and their texts."""
    found, texts = [], ""
    for one in plain:
        text = json.dumps(one)
        document = parse(text)
        shift(document, len(texts))
        found.append(document)
        texts += f"{text}\n"
    return found, texts


def merged(*plain: Any) -> Any:
    whole, faults = merge(documents(list(plain))[0])
    return None if faults else whole.root.plain()


def ambiguous(*plain: Any) -> bool:
    return bool(merge(documents(list(plain))[0])[1])


def expected(before: Any, after: Any, by_name: Any) -> Any:
    """What merging means, written down a second time over plain values."""
    result = dict(before)
    for key, value in after.items():
        if key not in result:
            result[key] = value
        elif value is None:
            del result[key]
        elif isinstance(value, dict) and isinstance(result[key], dict):
            below = by_name.get(key)
            result[key] = expected(result[key], value, below if isinstance(below, dict) else {})
        elif isinstance(value, list) and isinstance(result[key], list) and by_name.get(key) is True:
            elements = list(result[key])
            known = len(elements)
            for element in value:
                same = [
                    one for one in elements[:known] if name_of(one) is not None and name_of(one) == name_of(element)
                ]
                if same:
                    place = next(index for index, one in enumerate(elements) if one is same[0])
                    elements[place] = expected(same[0], element, {})
                else:
                    elements.append(element)
            result[key] = elements
        else:
            result[key] = value
    return result


def name_of(element: Any) -> str | None:
    name = element.get("name") if isinstance(element, dict) else None
    if isinstance(name, bool):
        return str(int(name))
    return str(name) if isinstance(name, str | int) else None


@given(plain_documents, plain_documents)
def test_merging_is_what_its_description_says(first: Any, second: Any) -> None:
    if not ambiguous(first, second):
        assert merged(first, second) == expected(first, second, BY_NAME)


@given(plain_documents)
def test_an_empty_document_changes_nothing(document: Any) -> None:
    assert merged(document, {}) == document
    assert merged({}, document) == document


@given(plain_documents, plain_documents, plain_documents)
def test_documents_merge_one_after_the_other(first: Any, second: Any, third: Any) -> None:
    two = merged(first, second)
    if two is not None and not ambiguous(first, second, third):
        assert merged(first, second, third) == merged(two, third)


def without_null(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: without_null(one) for key, one in value.items() if one is not None}
    return value


@given(plain_documents)
def test_what_is_said_twice_is_said_once(document: Any) -> None:
    document = without_null(document)
    document = {key: value for key, value in document.items() if key in {"a", "b"}}
    assert merged(document, document) == document


@given(plain_documents, plain_documents)
def test_no_document_is_changed(first: Any, second: Any) -> None:
    both, _ = documents([first, second])
    merge(both)
    assert [one.root.plain() for one in both] == [first, second]


@given(st.lists(plain_documents, min_size=1, max_size=4))
def test_every_value_stands_where_it_says(plain: list[Any]) -> None:
    found, texts = documents(plain)
    left: list[Node] = [merge(found)[0].root]
    while left:
        node = left.pop()
        if node.kind == "object":
            left += [member.node for member in node.value.values()]
            for key, member in node.value.items():
                assert json.loads(texts[member.key_start : member.key_end]) == key
        elif node.kind == "array":
            left += node.value
        else:
            assert json.loads(texts[node.start : node.end]) == node.value
