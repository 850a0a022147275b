"""One spelling of a JSON value (RFC 8785)."""

from __future__ import annotations

import json
from types import MappingProxyType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.consent.canonical import MAX_INTEGER, CanonicalError, canonical, parse

names = st.text(st.characters(max_codepoint=127), max_size=5)
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-MAX_INTEGER, MAX_INTEGER)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=10,
)


@given(values)
def test_it_reads_back_as_what_it_was(value: object):
    written = canonical(value)
    assert json.loads(written) == value
    assert canonical(parse(written)) == written


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ({"b": 1, "a": [True, False, None]}, b'{"a":[true,false,null],"b":1}'),
        # RFC 8785 section 3.2.2.2: what is escaped, and how
        (
            {"string": '€$\x0f\nA\'B"\\\\"/'},
            b'{"string":"\xe2\x82\xac$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}',
        ),
        ({"\r": 1, "1": 2, "": 3}, b'{"":3,"\\r":1,"1":2}'),
        (MappingProxyType({"a": (1, 2)}), b'{"a":[1,2]}'),
        ("\x7f\u2028\U0001f600", '"\x7f\u2028\U0001f600"'.encode()),
        (-0, b"0"),
    ],
)
def test_the_spelling(value: object, written: bytes):
    assert canonical(value) == written


@pytest.mark.parametrize(
    "value",
    [
        1.0,
        float("nan"),
        {"a": 0.5},
        MAX_INTEGER + 1,
        [-MAX_INTEGER - 1],
        {1: 2},
        {"ä": 1},
        {"a": b"b"},
        {1, 2},
        "\ud800",
    ],
)
def test_what_has_no_one_spelling_is_refused(value: object):
    with pytest.raises(CanonicalError):
        canonical(value)


def test_what_holds_itself_is_refused():
    loop: list[object] = []
    loop.append(loop)
    with pytest.raises(CanonicalError):
        canonical(loop)


@pytest.mark.parametrize(
    "data",
    [
        b"", b" {}", b'{"a": 1}', b'{"b":1,"a":1}', b'{"a":1,"a":1}', b'{"a":1.0}', b"1e3", b"-0", b'"\\u0041"', b"NaN",
        b'"\\ud800"', b"\xff", b'{"a":1}\n', b"[" * 100_000, b"9" * 5000,
    ],
)  # fmt: skip
def test_another_spelling_is_not_read(data: bytes):
    with pytest.raises(CanonicalError):
        parse(data)
