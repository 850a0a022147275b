"""The ledger's chain: whatever is done to it, the row is found and named."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.consent.canonical import CanonicalError, canonical, parse
from gateway.consent.ledger import EMPTY, GENESIS, Head, Row, Verdict, Wrong, entry_hash, next_row, verify

KINDS = ("grant", "sending", "delivered", "revoke")


def chain(n: int, salt: str = "") -> list[Row]:
    rows: list[Row] = []
    head = EMPTY
    for i in range(n):
        rows.append(next_row(head, 1_000 + i, KINDS[i % 4], {"count": i, "salt": salt}))
        head = head_of(rows)
    return rows


def head_of(rows: Sequence[Row]) -> Head:
    return Head(rows[-1].n, rows[-1].hash) if rows else EMPTY


def rewritten(row: Row, **said: object) -> Row:
    """The row with another content and a hash that fits it: what somebody does who knows how the chain is made."""
    entry = parse(row.entry)
    assert isinstance(entry, dict)
    new = canonical({**entry, **said})
    return replace(row, entry=new, hash=entry_hash(row.prev, new))


def relinked(rows: Sequence[Row]) -> list[Row]:
    """The rows as a whole new chain, numbers and all."""
    new: list[Row] = []
    for row in rows:
        entry = parse(row.entry)
        assert isinstance(entry, dict)
        happened = {name: value for name, value in entry.items() if name not in ("n", "at_ms", "kind")}
        new.append(next_row(head_of(new), row.at_ms, row.kind, happened))
    return new


def found(verdict: Verdict) -> list[tuple[Wrong, int, int]]:
    return [(fault.what, fault.n, fault.last_n) for fault in verdict.faults]


@given(st.integers(0, 30), st.sets(st.integers(1, 30)))
def test_what_nobody_touched_is_right(n: int, anchored: set[int]):
    rows = chain(n)
    anchors = [Head(row.n, row.hash) for row in rows if row.n in anchored]
    assert verify(rows, [EMPTY, *anchors]) == Verdict(n, head_of(rows), ())
    assert verify(iter(rows)).ok


def test_the_hash_is_what_it_says():
    first, second = chain(2)
    assert first.prev == GENESIS == bytes(32)
    assert first.hash == hashlib.sha256(bytes(32) + first.entry).digest()
    assert second.hash == hashlib.sha256(first.hash + second.entry).digest()
    assert parse(first.entry) == {"at_ms": 1000, "count": 0, "kind": "grant", "n": 1, "salt": ""}


@pytest.mark.parametrize("name", ["n", "at_ms", "kind"])
def test_what_happened_does_not_speak_for_the_row(name: str):
    with pytest.raises(CanonicalError, match="own"):
        next_row(EMPTY, 1, "grant", {name: 1})


class TestEdited:
    EDITS = (
        {"entry": b"{}"}, {"entry": b""}, {"entry": b'{"n":3}'}, {"kind": "erase"}, {"at_ms": 7}, {"prev": bytes(32)},
        {"hash": bytes(32)}, {"prev": b"", "hash": b""},
    )  # fmt: skip

    @pytest.mark.parametrize("at", [0, 3, 7])
    @pytest.mark.parametrize("edit", EDITS)
    def test_a_row_that_was_edited_is_named(self, at: int, edit: dict[str, object]):
        rows = chain(8)
        if edit.get("prev") == rows[at].prev:
            return
        rows[at] = replace(rows[at], **edit)  # type: ignore[arg-type]
        verdict = verify(rows)
        assert found(verdict) == [(Wrong.EDITED, at + 1, at + 1)]
        assert verdict.faults[0].kind == rows[at].kind
        assert f"row {at + 1} ({rows[at].kind}): edited" in str(verdict.faults[0])

    @pytest.mark.parametrize("at", range(7))
    def test_also_with_a_hash_that_fits(self, at: int):
        rows = chain(8)
        rows[at] = rewritten(rows[at], count=99)
        assert found(verify(rows)) == [(Wrong.EDITED, at + 1, at + 1)]

    @pytest.mark.parametrize("at", range(1, 7))
    def test_also_if_it_names_another_row_before_it(self, at: int):
        rows = chain(8)
        rows[at] = rewritten(replace(rows[at], prev=bytes(32)), count=99)
        assert found(verify(rows)) == [(Wrong.EDITED, at + 1, at + 1)]

    def test_a_first_row_that_names_one_before_it(self):
        rows = chain(3)
        rows[0] = rewritten(replace(rows[0], prev=b"\1" * 32))
        assert (Wrong.EDITED, 1, 1) in found(verify(rows))

    def test_a_number_that_was_changed(self):
        rows = chain(4)
        rows[3] = replace(rows[3], n=9)
        assert found(verify(rows)) == [(Wrong.EDITED, 4, 4)]

    def test_several_edits_are_all_named(self):
        rows = chain(9)
        for at in (1, 4, 6):
            rows[at] = replace(rows[at], entry=rows[at].entry + b" ")
        assert found(verify(rows)) == [(Wrong.EDITED, n, n) for n in (2, 5, 7)]

    def test_the_last_row_with_a_hash_that_fits_is_seen_against_an_anchor(self):
        rows = chain(5)
        anchors = [Head(2, rows[1].hash), head_of(rows)]
        rows[4] = rewritten(rows[4], count=99)
        assert verify(rows).ok
        assert found(verify(rows, anchors)) == [(Wrong.EDITED, 3, 5)]


class TestRemoved:
    @given(st.integers(2, 20), st.data())
    def test_rows_that_were_removed_are_named(self, n: int, data: st.DataObject):
        rows = chain(n)
        first = data.draw(st.integers(1, n - 1))
        last = data.draw(st.integers(first, n - 1))
        kept = rows[: first - 1] + rows[last:]
        assert found(verify(kept)) == [(Wrong.REMOVED, first, last)]
        # and also if the rows after them were given new numbers, so that none seems to be missing
        renumbered = [replace(row, n=i) for i, row in enumerate(kept, 1)]
        assert found(verify(renumbered)) == [(Wrong.REMOVED, first, last)]

    def test_in_two_places(self):
        rows = chain(9)
        assert found(verify(rows[:2] + rows[3:5] + rows[7:])) == [(Wrong.REMOVED, 3, 3), (Wrong.REMOVED, 6, 7)]

    def test_a_removed_row_in_a_chain_that_was_made_anew_is_seen_against_an_anchor(self):
        rows = chain(6)
        anchors = [Head(row.n, row.hash) for row in rows]
        anew = relinked(rows[:3] + rows[4:])
        assert verify(anew).ok
        assert found(verify(anew, anchors)) == [(Wrong.EDITED, 4, 4), (Wrong.TRUNCATED, 6, 6)]


class TestReordered:
    @given(st.integers(2, 12), st.data())
    def test_two_rows_that_changed_places_are_named(self, n: int, data: st.DataObject):
        rows = chain(n)
        a = data.draw(st.integers(1, n - 1))
        b = data.draw(st.integers(a + 1, n))
        rows[a - 1], rows[b - 1] = replace(rows[b - 1], n=a), replace(rows[a - 1], n=b)
        verdict = verify(rows)
        # Those between them are out of place too, seen from the one that came too early.
        assert found(verdict) == [(Wrong.REORDERED, n, n) for n in range(a, b)]

    def test_a_row_that_is_there_twice(self):
        rows = chain(5)
        assert found(verify([*rows[:4], rows[1], rows[4]])) == [(Wrong.REORDERED, 2, 2)]


class TestTruncated:
    @given(st.integers(1, 20), st.data())
    def test_an_end_that_was_cut_off_is_seen_against_an_anchor(self, n: int, data: st.DataObject):
        rows = chain(n)
        kept = rows[: data.draw(st.integers(0, n - 1))]
        assert verify(kept).ok
        assert found(verify(kept, [head_of(rows)])) == [(Wrong.TRUNCATED, len(kept) + 1, n)]

    def test_a_ledger_that_was_emptied(self):
        rows = chain(3)
        assert found(verify([], [Head(2, rows[1].hash)])) == [(Wrong.TRUNCATED, 1, 2)]


class TestAnchors:
    def test_another_ledger_altogether(self):
        rows, other = chain(9), chain(9, "other")
        anchors = [Head(4, rows[3].hash), Head(7, rows[6].hash)]
        assert verify(other).ok
        assert found(verify(other, anchors)) == [(Wrong.EDITED, 1, 4)]

    def test_two_anchors_that_contradict_each_other(self):
        rows = chain(3)
        assert not verify(rows, [head_of(rows), Head(3, bytes(32))]).ok

    def test_a_row_that_is_named_already_is_not_named_again(self):
        rows = chain(5)
        anchors = [head_of(rows)]
        rows[2] = replace(rows[2], hash=bytes(32))
        assert found(verify(rows, anchors)) == [(Wrong.EDITED, 3, 3)]


@given(st.integers(1, 12), st.integers(0, 10_000), st.integers(1, 255), st.sampled_from(["entry", "prev", "hash"]))
def test_one_byte_changed_anywhere_is_seen(n: int, at: int, by: int, column: str):
    rows = chain(n)
    row = rows[at % n]
    data = bytearray(getattr(row, column))
    data[at % len(data)] ^= by
    rows[at % n] = replace(row, **{column: bytes(data)})
    assert row.n in {fault.n for fault in verify(rows).faults}
