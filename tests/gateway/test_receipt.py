"""Consent records and receipts: every field of ISO/IEC TS 27560, byte for byte as they were, and only as signed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import cbor2
import pytest

from gateway.consent.canonical import canonical
from gateway.consent.grants import Grant, Hours, agreement, changed
from gateway.consent.ledger import EMPTY, Head, next_row, verify
from gateway.consent.people import Person, Role
from gateway.consent.receipt import CONTENT_TYPE, ReceiptError, open_receipt, receipt, sealed_receipt
from gateway.consent.record import Act, ConsentEvent, consent_record, unknown_fields
from gateway.consent.signing import SignatureError, SigningKey
from gateway.consent.vocabulary import Granularity, Vocabulary

GOLDEN = Path(__file__).parent / "golden"
T0 = 1_780_000_000_123
DAY_MS = 86_400_000
KEY = SigningKey(bytes(range(32)))
OWN = Vocabulary.standard().extended(
    {
        "recipients": {
            "manufacturer": {
                "name": "Kettles & Söhne",
                "address": "Ring 1, Bremen",
                "contact": "privacy@kettles.example",
                "url": "https://kettles.example",
                "jurisdiction": "DE",
                "storage": "EU",
            }
        }
    }
)


def first() -> Grant:
    grant = Grant(
        id="g-0123456789abcdef", subject="Zoë", devices=("a0b1c2d3e4f5",), category="presence",
        recipient="manufacturer", purpose="service", granularity=Granularity.HOUR,
        hours=Hours(22 * 60, 6 * 60, "Europe/Berlin", (4, 5)), start_ms=T0, expiry_ms=T0 + 30 * DAY_MS, text="-",
        language="en", created_ms=T0, since_ms=T0 - DAY_MS, explicit=True,
    )  # fmt: skip
    return replace(grant, text=agreement(grant, "2026-06-27", {"a0b1c2d3e4f5": "Kettle"}, vocabulary=OWN))


def second() -> Grant:
    grant = changed(first(), T0 + 60_000, text="-", granularity=Granularity.DAY, hours=None, explicit=True)
    return replace(grant, text=agreement(grant, "2026-06-27", {"a0b1c2d3e4f5": "Kettle"}, vocabulary=OWN))


EVENTS = (
    ConsentEvent(Act.GIVEN, T0, "Zoë", 1),
    ConsentEvent(Act.CHANGED, T0 + 60_000, "Zoë", 2),
    ConsentEvent(Act.PAUSED, T0 + 70_000, "Robin", 2),
    ConsentEvent(Act.RESUMED, T0 + 80_000, "Zoë", 2),
    ConsentEvent(Act.WITHDRAWN, T0 + 90_000, "Zoë", 2),
)


def record_of(
    versions: Sequence[Grant] = (), events: Sequence[ConsentEvent] = EVENTS, now_ms: int = T0 + 100_000, **more: Any
) -> dict[str, Any]:
    names = {"a0b1c2d3e4f5": "Kettle"}
    return consent_record(
        versions or (first(), second()), events, more.pop("vocabulary", OWN), now_ms=now_ms, names=names, **more
    )


def head() -> Head:
    row = next_row(EMPTY, T0, "grant", {"grant": first().id})
    return Head(row.n, row.hash)


class TestGolden:
    """What these bytes mean was fixed on the day they were first signed: others hold receipts like them."""

    def test_the_receipt_is_the_one_it_was(self):
        document = receipt(record_of(), issued_ms=T0 + 100_000, issuer=KEY.public, head=head())
        assert document == json.loads((GOLDEN / "receipt.jsonld").read_text(encoding="utf-8"))

    def test_signed_it_is_the_same_to_the_byte(self):
        sealed = sealed_receipt(KEY, record_of(), issued_ms=T0 + 100_000, head=head())
        assert sealed == (GOLDEN / "receipt.cose").read_bytes()

    def test_the_kept_one_opens(self):
        opened = open_receipt(KEY.public, (GOLDEN / "receipt.cose").read_bytes())
        assert (opened.grant_id, opened.head) == (first().id, head())


class TestFields:
    """ISO/IEC TS 27560:2023 clause 6.3, by the names that its guide in the Data Privacy Vocabulary gives them."""

    def test_the_header(self):
        record = record_of()
        assert record["@type"] == "dpv:ConsentRecord"
        assert record["dct:conformsTo"] == {"@id": "https://w3id.org/dpv/schema/dpv-27560#record"}
        assert record["dct:identifier"] == first().id
        subject = next(e for e in record["dpv:hasEntity"] if e["@id"] == record["dpv:hasDataSubject"]["@id"])
        assert subject["dct:identifier"] == "Zoë"
        assert record["dct:created"] == "2026-05-28T20:26:40.123Z"

    def test_the_processing(self):
        process = record_of()["dpv:hasProcess"]
        assert process["dpv:hasPurpose"]["dct:identifier"] == "service"
        assert process["dpv:hasPurpose"]["skos:broader"] == {"@id": "dpv:ServiceProvision"}
        assert process["dpv:hasLegalBasis"] == {"@id": "dpv:ExplicitlyExpressedConsent"}
        data = process["dpv:hasPersonalData"]
        assert data["@type"] == "dpv:SensitivePersonalData"
        assert (data["dct:identifier"], data["dpv:hasScope"]["dct:identifier"]) == ("presence", "day")
        assert data["dct:temporal"]["dcat:startDate"] == "2026-05-28T20:27:40.123Z"
        assert process["dpv:hasDataSource"]["dct:identifier"] == ["Kettle"]
        retention, location = process["dpv:hasStorageCondition"]
        assert retention["dpv:hasDuration"]["rdf:value"]["@value"] == "2026-06-27T20:26:40.123Z"
        assert location["dpv:hasLocation"] == {"@id": "loc:EU"}
        assert process["dpv:hasJurisdiction"] == {"@id": "loc:DE"}
        assert "consent revoke" in process["dpv:hasConsentControl"]["dpv:isExercisedAt"]

    def test_the_party(self):
        record = record_of()
        party = next(e for e in record["dpv:hasEntity"] if e["@id"] == record["dpv:hasDataController"]["@id"])
        assert record["dpv:hasProcess"]["dpv:hasRecipient"] == record["dpv:hasDataController"]
        assert (party["dct:identifier"], party["dpv:hasName"]) == ("manufacturer", "Kettles & Söhne")
        assert party["dpv:hasAddress"] == "Ring 1, Bremen"
        assert party["dpv:hasContact"] == "privacy@kettles.example"

    def test_each_version_has_its_notice(self):
        notices = record_of()["dpv:hasNotice"]
        assert [n["schema:version"] for n in notices] == ["1", "2"]
        for notice, grant in zip(notices, (first(), second()), strict=True):
            assert notice["dct:description"] == {"@value": grant.text, "@language": "en"}
            assert notice["dct:language"] == "en"
            assert notice["spdx:checksum"]["spdx:checksumValue"] == grant.text_sha256

    def test_the_events(self):
        statuses = record_of()["dpv:hasConsentStatus"]
        assert [s["@type"][0] for s in statuses] == [
            "dpv:ConsentGiven",
            "dpv:RenewedConsentGiven",
            "dpv:ConsentStatusInvalidForProcessing",
            "dpv:ConsentStatusValidForProcessing",
            "dpv:ConsentWithdrawn",
        ]
        assert [s["dct:description"]["@value"] for s in statuses] == [e.act.value for e in EVENTS]
        assert statuses[2]["dpv:isIndicatedBy"] == {"dct:identifier": "Robin"}
        assert statuses[4]["dpv:isIndicatedAtTime"] == "2026-05-28T20:28:10.123Z"
        assert all("dpv:hasDuration" in s for s in statuses[:2])

    def test_the_end_of_its_time_is_an_event_too(self):
        over = T0 + 31 * DAY_MS
        assert record_of(events=EVENTS[:1], now_ms=over)["dpv:hasConsentStatus"][-1]["@type"] == ["dpv:ConsentExpired"]
        assert record_of(now_ms=over)["dpv:hasConsentStatus"][-1]["@type"] == ["dpv:ConsentWithdrawn"]

    def test_hours_and_days(self):
        scope = record_of((first(),))["dpv:hasProcess"]["dpv:hasScope"]
        assert (scope["schema:startTime"], scope["schema:endTime"]) == ("22:00", "06:00")
        assert scope["schema:byDay"] == [{"@id": "schema:Friday"}, {"@id": "schema:Saturday"}]
        assert "dpv:hasScope" not in record_of()["dpv:hasProcess"]

    @pytest.mark.parametrize(
        ("category", "kind"),
        [
            ("door", "dpv:PersonalData"),
            ("presence", "dpv:SensitivePersonalData"),
            ("health", "dpv:SpecialCategoryPersonalData"),
        ],
    )
    def test_the_kind_of_data(self, category: str, kind: str):
        record = record_of((replace(first(), category=category),))
        assert record["dpv:hasProcess"]["dpv:hasPersonalData"]["@type"] == kind

    def test_a_child(self):
        entities = record_of(person=Person("Zoë", Role.CHILD))["dpv:hasEntity"]
        assert entities[0]["@type"] == ["dpv:DataSubject", "dpv:Child"]

    def test_what_nobody_told_is_left_out_and_named(self):
        assert unknown_fields(record_of()) == ()
        bare = record_of(vocabulary=Vocabulary.standard())
        assert unknown_fields(bare) == (
            "party_name",
            "party_address",
            "party_contact",
            "jurisdiction",
            "storage_locations",
        )
        assert "dpv:hasJurisdiction" not in bare["dpv:hasProcess"]

    def test_words_that_no_vocabulary_has(self):
        grant = replace(first(), category="aura", purpose="astrology", recipient="seer", granularity=Granularity("6h"))
        process = record_of((grant,))["dpv:hasProcess"]
        assert process["dpv:hasPurpose"] == {"@type": "dpv:Purpose", "dct:identifier": "astrology"}
        assert process["dpv:hasPersonalData"]["dct:identifier"] == "aura"

    def test_every_name_in_it_is_in_the_context(self):
        document = receipt(record_of((first(),)), issued_ms=T0, issuer=KEY.public, head=head())
        prefixes = {name for name in document["@context"] if ":" not in name}
        seen: set[str] = set()

        def look(value: object) -> None:
            if isinstance(value, dict):
                seen.update(name for name in value if not name.startswith("@"))
                seen.update(term for term in (value.get("@id"), value.get("@type")) if isinstance(term, str))
                for name, inner in value.items():
                    if name != "@context":
                        look(inner)
            elif isinstance(value, list):
                for inner in value:
                    look(inner)

        look({name: value for name, value in document.items() if name != "@context"})
        assert {name.split(":")[0] for name in seen} <= prefixes | {"urn", "https", "_"}

    def test_it_is_the_same_record_for_ever(self):
        assert record_of()["@id"] == record_of((first(),))["@id"]
        assert record_of()["@id"] != record_of((replace(first(), id="g-" + "f" * 16),))["@id"]


class TestSealed:
    def test_it_opens_as_what_was_sealed(self):
        opened = open_receipt(KEY.public, sealed_receipt(KEY, record_of(), issued_ms=T0, head=head()))
        assert opened.document["dpv:hasRecordOfActivity"] == {k: v for k, v in record_of().items() if k != "@context"}
        assert opened.document["dct:publisher"]["dct:identifier"] == KEY.id.hex()

    def test_its_head_is_an_anchor_of_the_ledger(self):
        rows = [next_row(EMPTY, T0, "grant", {"grant": first().id})]
        rows.append(next_row(Head(1, rows[0].hash), T0 + 1, "sending", {"count": 60}))
        sealed = sealed_receipt(KEY, record_of(), issued_ms=T0, head=Head(2, rows[1].hash))
        anchor = open_receipt(KEY.public, sealed).head
        assert anchor is not None
        assert verify(rows, [anchor]).ok
        assert not verify(rows[:1], [anchor]).ok

    def test_without_a_ledger_there_is_no_head(self):
        assert open_receipt(KEY.public, sealed_receipt(KEY, record_of(), issued_ms=T0)).head is None

    def test_another_household_did_not_sign_it(self):
        with pytest.raises(SignatureError):
            open_receipt(SigningKey(bytes(32)).public, sealed_receipt(KEY, record_of(), issued_ms=T0))

    def test_a_byte_that_was_changed_is_seen(self):
        sealed = sealed_receipt(KEY, record_of(), issued_ms=T0)
        for at in range(0, len(sealed), 7):
            with pytest.raises(SignatureError):
                open_receipt(KEY.public, sealed[:at] + bytes((sealed[at] ^ 1,)) + sealed[at + 1 :])

    @pytest.mark.parametrize(
        ("payload", "said"),
        [
            (b"{}", "no receipt"),
            (b"[]", "not a dpv:ConsentReceipt"),
            (b"null", "not a dpv:ConsentReceipt"),
            (b'{"a": 1}', "cannot be read"),
            (b"\xff", "cannot be read"),
            (canonical({"@type": "dpv:ConsentReceipt"}), "no receipt"),
            (canonical({"@type": "dpv:ConsentReceipt", "dct:conformsTo": "else"}), "schema is else"),
        ],
    )
    def test_what_is_signed_and_no_receipt_is_refused(self, payload: bytes, said: str):
        with pytest.raises(ReceiptError, match=said):
            open_receipt(KEY.public, KEY.sign(CONTENT_TYPE, payload))

    def test_a_text_that_is_not_the_one_that_was_agreed_to_is_refused(self):
        record = record_of()
        record["dpv:hasNotice"][1]["dct:description"]["@value"] += " And to more."
        with pytest.raises(ReceiptError, match="text of version 2"):
            open_receipt(KEY.public, sealed_receipt(KEY, record, issued_ms=T0))

    def test_it_is_json_for_whoever_does_not_check_it(self):
        payload = cbor2.loads(sealed_receipt(KEY, record_of(), issued_ms=T0)).value[2]
        assert json.loads(payload)["@type"] == "dpv:ConsentReceipt"
