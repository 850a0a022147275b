"""The ledger in plain words: what left and what became of it, whatever somebody did to a row."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.consent import audit, local_use
from gateway.consent.local_use import Mode
from gateway.consent.people import Role
from gateway.consent.vocabulary import Vocabulary
from gateway.forward import notices
from gateway.web.ledger_shapes import row_out
from gateway.web.left_view import Which, left
from gateway.web.left_view import notices as noticed
from tests.gateway.sinks import at, fill, minute

WORDS = Vocabulary.standard().extended({"recipients": {"manufacturer": {"name": "Cold Things Ltd"}}})


def lines(household: Any, which: Which = Which.LEFT, before: int | None = None) -> list[Any]:
    return list(left(household.db, WORDS, which, before).lines)


def send(household: Any, board: Any, queue: Any, seq: int) -> Any:
    """Something is measured and on its way."""
    household.receive(minute(household, board, seq))
    fill(queue)
    return queue.take()


@pytest.fixture
def queue(household: Any, board: Any) -> Any:
    made = household.queue()
    household.receive(board.birth())
    return made


def test_a_disclosure_says_what_to_whom_and_how_much(household: Any, board: Any, queue: Any):
    grant = household.grant()
    batch = send(household, board, queue, 1)
    (line,) = lines(household)
    assert line.text == f"1 message ({len(batch.body)} bytes) to Cold Things Ltd"
    (part,) = line.parts
    assert part.text == "1 message of temperature: how warm or cold it is in an appliance"
    assert part.grant_id == grant.id
    assert part.last_ms - part.first_ms == 50_000
    assert len(line.digest) == 64


@pytest.mark.parametrize(
    ("ended", "told"),
    [
        (None, "on its way"),
        ("delivered", "It arrived."),
        ("rejected", "refused"),
        ("aborted", "some of it may have left"),
    ],
)
def test_it_says_what_became_of_it(household: Any, board: Any, queue: Any, ended: str | None, told: str):
    household.grant()
    batch = send(household, board, queue, 1)
    if ended is not None:
        getattr(queue, ended)(batch)
    assert told in lines(household)[0].outcome


def test_each_knows_its_own_outcome(household: Any, board: Any, queue: Any):
    household.grant()
    queue.delivered(send(household, board, queue, 1))
    queue.aborted(send(household, board, queue, 2))
    newest, oldest = lines(household)
    assert "some of it" in newest.outcome
    assert oldest.outcome == "It arrived."
    assert lines(household, before=newest.n) == [oldest]


def test_what_people_did_is_told_by_their_names(household: Any, board: Any, queue: Any):
    grant = household.grant(subject="Robin")
    queue.delivered(send(household, board, queue, 1))
    household.receive(board.events(2, [(3, 0, 1)], **at(household)))
    household.revoke(grant)
    with household.db.transaction():
        notices.of_grant(household.db, grant.id, household.now_ms)
    local_use.set_mode(household.db, "*", "energy", Mode.UNMEASURED, household.now_ms)
    told = [line.text for line in lines(household, Which.ACTS)]
    assert told == [
        "What every appliance may tell of energy was set: measured only while you share it with somebody.",
        "Cold Things Ltd is asked to erase what it got while Cold Things Ltd may get temperature, to make "
        "better appliances.",
        "Somebody stopped that Cold Things Ltd may get temperature, to make better appliances.",
        "Robin agreed that Cold Things Ltd may get temperature, to make better appliances.",
        "Robin is in the household, as an adult.",
    ]
    assert Role.ADULT.value not in told[-2]


def test_a_name_that_was_erased_is_not_guessed(household: Any):
    household.grant(subject="Robin")
    with household.db.transaction() as sql:
        sql.execute("DELETE FROM person")
    assert lines(household, Which.ACTS)[0].text.startswith("somebody whose name was erased agreed")


@pytest.mark.parametrize(
    "entry",
    [
        b"", b"\xff", b"[]", b"7", "text", b"{}", b'{"grants":[7],"events":"many","bytes":-1,"by":[],"grant":{}}',
        b'{"grants":{},"events":9999999999999999999,"sending":[],"recipient":null,"dropped":true}',
        b'{"grants":[{"first_ms":9999999999999999999,"category":[]}]}',
    ],
)  # fmt: skip
def test_a_row_that_somebody_spoilt_stops_no_page(household: Any, board: Any, queue: Any, entry: Any):
    household.grant()
    queue.delivered(send(household, board, queue, 1))
    with household.db.transaction() as sql:
        sql.execute("UPDATE ledger SET entry = ?, at_ms = 'then'", (entry,))
    assert lines(household)
    assert lines(household, Which.ACTS)
    assert [row_out(row) for row in audit.rows(household.db)]
    assert not audit.verify(household.db).ok


def test_a_notice_is_confirmed_when_all_its_sinks_say_so(household: Any, board: Any, queue: Any):
    grant = household.grant()
    send(household, board, queue, 1)
    household.revoke(grant)
    notices.owe(household.db, [], household.now_ms)
    (notice,) = noticed(household.db)
    assert (notice.recipient, notice.sinks, notice.confirmed_ms) == ("manufacturer", (), None)
    notices.owe(household.db, [("one", "manufacturer"), ("two", "manufacturer")], household.now_ms)
    (waiting,) = notices.waiting(household.db, "one")
    notices.acked(household.db, "one", waiting, household.now_ms + 5)
    assert noticed(household.db)[0].confirmed_ms is None
    notices.acked(household.db, "two", waiting, household.now_ms + 9)
    assert noticed(household.db)[0].confirmed_ms == household.now_ms + 9
