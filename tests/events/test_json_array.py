"""An array is split into the same elements that a parser finds, also if it is not valid."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.events.json_array import split_array

texts = st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from('"\\[]{},'), max_size=6)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)


@given(st.lists(values, max_size=5), st.sampled_from([None, 1]), st.booleans())
def test_elements_are_those_of_a_parser(
    entries: list[object], indent: int | None, is_ascii: object
) -> None:
    data = json.dumps(entries, indent=indent, ensure_ascii=bool(is_ascii)).encode()
    split = split_array(b" " + data + b"\n")
    assert split
    assert split.is_closed
    assert [json.loads(element.text) for element in split.elements] == entries
    assert all(data[e.offset - 1 :].startswith(e.text) for e in split.elements)


@given(st.binary(max_size=80) | st.text('[]{},"\\ a', max_size=40).map(str.encode))
def test_nothing_but_brackets_and_commas_is_lost(data: bytes) -> None:
    split = split_array(b"[" + data)
    assert split
    rest = b"".join(element.text for element in split.elements)
    assert set(data) - set(rest) <= set(b"]}, \t\n\r\x0b\x0c")


@pytest.mark.parametrize(
    ("data", "elements", "end"),
    [
        (b"[1,,2,]", [b"1", b"2"], "closed"),
        (b"[1,2", [b"1", b"2"], "open"),
        (b'[{"a":[1,2]},{"b', [b'{"a":[1,2]}', b'{"b'], "open"),
        (b'["a,b\\", c", 2]', [b'"a,b\\", c"', b"2"], "closed"),
        (b'["a', [b'"a'], "open"),
        (b'["a\\', [b'"a\\'], "open"),
        (b'["a],\\', [b'"a],\\'], "open"),
        (b"[1] [2]", [b"1", b"[2]"], "closed"),
    ],
)
def test_invalid_array_is_split_as_far_as_possible(
    data: bytes, elements: list[bytes], end: str
) -> None:
    split = split_array(data)
    assert split
    assert [element.text for element in split.elements] == elements
    assert split.is_closed == (end == "closed")


@pytest.mark.parametrize("data", [b"", b" ", b"{}", b"1", b'"[1]"'])
def test_other_text_is_no_array(data: bytes) -> None:
    assert split_array(data) is None
