"""The acks of a commit: every boot that was heard, the newest heard first, whatever their numbers."""

from __future__ import annotations

from gateway.app.acks import AckBook
from gateway.wire.downlink import MAX_ACK_BOOTS

A, B = 1, 2


def test_the_boot_that_was_heard_last_comes_first():
    book = AckBook()
    assert book.commit({(A, 9): 1, (A, 3): 7}) == {A: [[(3, 7), (9, 1)]]}


def test_each_device_has_messages_of_its_own():
    book = AckBook()
    assert book.commit({(A, 1): 7, (B, 1): 4}) == {A: [[(1, 7)]], B: [[(1, 4)]]}


def test_what_was_said_before_is_said_again_after_what_is_new():
    book = AckBook()
    book.commit({(A, 1): 7})
    assert book.commit({(A, 2): 1}) == {A: [[(2, 1), (1, 7)]]}
    assert book.commit({(A, 1): 8}) == {A: [[(1, 8), (2, 1)]]}


def test_an_old_boot_that_is_being_sent_is_always_acked():
    book = AckBook()
    for boot in range(100, 100 + 2 * MAX_ACK_BOOTS):
        book.commit({(A, boot): 1})
    ((marks,),) = book.commit({(A, 1): 5}).values()
    assert marks[0] == (1, 5)
    assert len(marks) == MAX_ACK_BOOTS


def test_more_boots_than_a_message_holds_are_all_told_and_the_newest_heard_are_retained():
    book = AckBook()
    heard = [(A, boot) for boot in range(1, 2 * MAX_ACK_BOOTS + 4)]
    (messages,) = book.commit(dict.fromkeys(heard, 9)).values()
    assert [len(marks) for marks in messages] == [MAX_ACK_BOOTS, MAX_ACK_BOOTS, 3]
    assert [mark for marks in messages for mark in marks] == [(boot, 9) for _, boot in reversed(heard)]


def test_a_commit_that_acks_nothing_says_nothing():
    assert AckBook().commit({}) == {}
