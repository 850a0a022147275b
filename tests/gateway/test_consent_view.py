"""What the sharing page shows, in words that a household has for it."""

from __future__ import annotations

from typing import Any

from gateway.consent import register
from gateway.consent.decide import Reason
from gateway.consent.local_use import Mode, set_mode
from gateway.consent.record import Act
from gateway.consent.vocabulary import Granularity, Vocabulary
from gateway.web.consent_view import ACTS, REASONS, recipient_name, recipient_words, sharing, story

OWN = Vocabulary.standard().extended(
    {
        "recipients": {
            "acme": {
                "sentence": "a maker of fridges",
                "name": "Acme Ltd",
                "address": "1 Cold Street",
                "url": "https://acme.example",
                "jurisdiction": "IE",
                "storage": "EU",
            }
        },
        "purposes": {"art": "to make a picture of it"},
        "categories": {"noise": "how loud it is"},
        "granularities": {"6h": "lowest, mean and highest of six hours"},
    }
)


def test_every_reason_and_every_act_has_words():
    assert REASONS.keys() == set(Reason)
    assert ACTS.keys() == set(Act)


def test_a_recipient_is_called_by_its_name_and_told_of():
    assert recipient_name(OWN, "acme") == "Acme Ltd"
    assert recipient_words(OWN, "acme") == (
        "A maker of fridges, 1 Cold Street, https://acme.example, under the law of IE, keeps data in EU"
    )
    assert recipient_name(OWN, "manufacturer") == "Manufacturer"
    assert recipient_words(OWN, "manufacturer") == "The maker of the appliance"
    assert recipient_name(OWN, "gone") == "Gone"
    assert recipient_words(OWN, "gone") == ""


def test_a_households_own_words_are_in_its_sentences(household: Any):
    household.grant(recipient="acme", purpose="art", category="noise", granularity=Granularity("6h"))
    (shown,) = sharing(household.db, household.now_ms, OWN).active
    assert shown.sentence == (
        "Acme Ltd (acme) may get how loud it is (lowest, mean and highest of six hours) of all devices, "
        "to make a picture of it"
    )


def test_a_paused_grant_holds_and_a_revoked_one_is_past(household: Any):
    paused, revoked = household.grant(), household.grant(category="door")
    register.pause(household.db, paused.id, household.now_ms)
    household.revoke(revoked)
    view = sharing(household.db, household.now_ms, OWN)
    assert [shown.grant.id for shown in view.active] == [paused.id]
    assert view.active[0].grant.paused_ms == household.now_ms
    assert (view.shared, view.paused, view.said) == (0, 1, "Nothing leaves your home, 1 thing is paused")
    assert [shown.grant.id for shown in view.past] == [revoked.id]


def test_what_rests_is_not_counted_as_shared(household: Any):
    def said() -> str:
        return sharing(household.db, household.now_ms, Vocabulary.standard()).said

    assert said() == "Nothing leaves your home"
    grants = [household.grant() for _ in range(4)]
    assert said() == "4 things are shared"
    for n, words in enumerate(("3 things are shared, 1 is", "2 things are shared, 2 are", "1 thing is shared, 3 are")):
        register.pause(household.db, grants[n].id, household.now_ms)
        assert said() == f"{words} paused"
    register.pause(household.db, grants[3].id, household.now_ms)
    assert said() == "Nothing leaves your home, 4 things are paused"


def test_what_each_device_measures_and_may_tell_is_there(household: Any, board: Any):
    household.receive(board.birth())
    set_mode(household.db, "*", "door", Mode.GRANTED, household.now_ms)
    set_mode(household.db, board.device, "door", Mode.KEEP, household.now_ms)
    view = sharing(household.db, household.now_ms, OWN)
    assert view.by_device == {board.device: ("temperature", "door", "stock", "diagnostics")}
    assert view.modes == {("*", "door"): Mode.GRANTED, (board.device, "door"): Mode.KEEP}


def test_a_story_has_every_version_and_act(household: Any):
    grant = household.grant(subject="Robin")
    register.change(household.db, grant.id, household.now_ms + 1, OWN, text="Anew.")
    register.pause(household.db, grant.id, household.now_ms + 2, "Dora")
    told = story(household.db, grant.id)
    assert [version.text for version in told.versions] == ["I agree.", "Anew."]
    assert [(event.act, event.person) for event in told.events] == [
        (Act.GIVEN, "Robin"),
        (Act.CHANGED, "Robin"),
        (Act.PAUSED, "Dora"),
    ]
