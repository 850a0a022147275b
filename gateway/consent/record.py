"""The consent record: the fields of ISO/IEC TS 27560:2023 in JSON-LD, in the terms of the Data Privacy Vocabulary and
of its guide to that standard (https://w3id.org/dpv/guides/consent-27560).

It says what was agreed to, in which words, and what became of it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from gateway.consent.grants import ANY_DEVICE, Grant
from gateway.consent.people import Person, Role
from gateway.consent.receipt_terms import (
    CONTEXT,
    Node,
    checksum,
    entity,
    moment,
    period,
    ref,
    schedule,
    text_in,
    until,
    urn,
)
from gateway.consent.vocabulary import Party, Vocabulary

RECORD_SCHEMA = "https://w3id.org/dpv/schema/dpv-27560#record"
_SUBJECT, _RECIPIENT = "_:subject", "_:recipient"


class Act(StrEnum):
    """What a person did with a grant."""

    GIVEN = "given"
    CHANGED = "changed"
    PAUSED = "paused"
    RESUMED = "resumed"
    WITHDRAWN = "withdrawn"


# The vocabulary has no word for a pause: it is a state in which nothing may be processed, and then again one in which
# it may.
_STATUS = {
    Act.GIVEN: "dpv:ConsentGiven",
    Act.CHANGED: "dpv:RenewedConsentGiven",
    Act.PAUSED: "dpv:ConsentStatusInvalidForProcessing",
    Act.RESUMED: "dpv:ConsentStatusValidForProcessing",
    Act.WITHDRAWN: "dpv:ConsentWithdrawn",
}


@dataclass(frozen=True, slots=True)
class ConsentEvent:
    """Who did what with which version of a grant, and when (Unix ms)."""

    act: Act
    at_ms: int
    person: str
    version: int


def consent_record(
    versions: Sequence[Grant],
    events: Sequence[ConsentEvent],
    vocabulary: Vocabulary,
    *,
    now_ms: int,
    person: Person | None = None,
    names: Mapping[str, str] | None = None,
    withdrawal: str = "the page Sharing of the household's console, or `hearthgate consent revoke`",
) -> Node:
    """The record of one grant: all its versions, oldest first, and everything that was done with it, as JSON-LD.

    What stands in it is what the last version says; each version's text is there as a notice. `names` stand for device
    ids: what the household calls them, or pseudonyms in a copy that goes to somebody else.
    """
    grant = versions[-1]
    person = person or Person(grant.subject)
    party = vocabulary.parties.get(grant.recipient, Party())
    last_ms = max((event.at_ms for event in events), default=grant.created_ms)
    return {
        "@context": CONTEXT,
        "@id": urn(grant.id),
        "@type": "dpv:ConsentRecord",
        "dct:identifier": grant.id,
        "dct:conformsTo": ref(RECORD_SCHEMA),
        "schema:version": str(grant.version),
        "dct:created": moment(versions[0].created_ms),
        "dct:modified": moment(last_ms),
        "dpv:hasDataSubject": ref(_SUBJECT),
        "dpv:hasDataController": ref(_RECIPIENT),
        "dpv:hasProcess": _process(grant, vocabulary, party, names or {}, withdrawal),
        "dpv:hasNotice": [_notice(version) for version in versions],
        "dpv:hasConsentStatus": _statuses(versions, events, now_ms),
        "dpv:hasEntity": [
            {
                "@id": _SUBJECT,
                "@type": ["dpv:DataSubject", "dpv:Child"] if person.role is Role.CHILD else "dpv:DataSubject",
                "dct:identifier": person.name,
            },
            entity(_RECIPIENT, grant.recipient, vocabulary.recipients.get(grant.recipient), party),
        ],
    }


def unknown_fields(record: Node) -> tuple[str, ...]:
    """The mandatory fields of ISO/IEC TS 27560 that a record lacks, because nobody told the gateway: the household or
    the operator can say them in [vocabulary.recipients.…]."""
    recipient, process = record["dpv:hasEntity"][1], record["dpv:hasProcess"]
    storage = [condition["@type"] for condition in process["dpv:hasStorageCondition"]]
    missing = {
        "party_name": recipient["dpv:hasName"] == recipient["dct:identifier"],
        "party_address": "dpv:hasAddress" not in recipient,
        "party_contact": "dpv:hasContact" not in recipient,
        "jurisdiction": "dpv:hasJurisdiction" not in process,
        "storage_locations": "dpv:StorageLocation" not in storage,
    }
    return tuple(name for name, lacks in missing.items() if lacks)


def _process(grant: Grant, vocabulary: Vocabulary, party: Party, names: Mapping[str, str], withdrawal: str) -> Node:
    storage = [{"@type": "dpv:StorageDuration", "dpv:hasDuration": until(grant.expiry_ms)}]
    if party.storage is not None:
        storage.append({"@type": "dpv:StorageLocation", "dpv:hasLocation": ref(f"loc:{party.storage}")})
    process: Node = {
        "@type": "dpv:Process",
        "dpv:hasPurpose": _term("purposes", grant.purpose, "dpv:Purpose", vocabulary),
        "dpv:hasLegalBasis": ref(_basis(grant)),
        "dpv:hasPersonalData": _personal_data(grant, vocabulary),
        "dpv:hasDataSource": {
            "@type": "dpv:DataSource",
            "dct:description": text_in("devices of the household, through its gateway"),
            "dct:identifier": ["all" if d == ANY_DEVICE else names.get(d, d) for d in grant.devices],
        },
        "dpv:hasStorageCondition": storage,
        "dpv:hasRecipient": ref(_RECIPIENT),
        "dpv:hasConsentControl": {"@type": "dpv:WithdrawConsent", "dpv:isExercisedAt": withdrawal},
        "dpv:hasRight": {
            "@type": "dpv:DataSubjectRight",
            "dct:title": text_in("Right to withdraw consent at any time"),
            "dpv:isExercisedAt": withdrawal,
        },
    }
    if grant.hours is not None:
        process["dpv:hasScope"] = schedule(grant.hours)
    if party.jurisdiction is not None:
        process["dpv:hasJurisdiction"] = ref(f"loc:{party.jurisdiction}")
    return process


def _personal_data(grant: Grant, vocabulary: Vocabulary) -> Node:
    kind = "dpv:PersonalData"
    if grant.category in vocabulary.sensitive:
        special = grant.category in vocabulary.special
        kind = "dpv:SpecialCategoryPersonalData" if special else "dpv:SensitivePersonalData"
    granularity = vocabulary.granularities.get(grant.granularity, grant.granularity.value)
    return {
        **_term("categories", grant.category, kind, vocabulary),
        "dct:temporal": period(grant.agreed_from_ms, grant.expiry_ms),
        "dpv:hasScope": {
            "@type": "dpv:Scope",
            "dct:identifier": grant.granularity.value,
            "dct:description": text_in(granularity),
        },
    }


def _term(table: str, word: str, kind: str, vocabulary: Vocabulary) -> Node:
    node: Node = {"@type": kind, "dct:identifier": word}
    if (sentence := getattr(vocabulary, table).get(word)) is not None:
        node["dct:description"] = text_in(sentence)
    if (broader := vocabulary.terms.get((table, word))) is not None:
        node["skos:broader"] = ref(broader)
    return node


def _notice(version: Grant) -> Node:
    return {
        "@type": "dpv:ConsentNotice",
        "schema:version": str(version.version),
        "dct:created": moment(version.created_ms),
        "dct:language": version.language,
        "dct:description": text_in(version.text, version.language),
        "spdx:checksum": checksum(version.text_sha256),
    }


def _statuses(versions: Sequence[Grant], events: Sequence[ConsentEvent], now_ms: int) -> list[Node]:
    by_version = {version.version: version for version in versions}
    statuses = []
    for event in events:
        kind: list[str] = [_STATUS[event.act]]
        version = by_version.get(event.version)
        node: Node = {
            "@type": kind,
            "dct:description": text_in(event.act.value),
            "schema:version": str(event.version),
            "dpv:isIndicatedAtTime": moment(event.at_ms),
            "dpv:isIndicatedBy": ref(_SUBJECT)
            if event.person == versions[-1].subject
            else {"dct:identifier": event.person},
        }
        if version is not None and event.act in (Act.GIVEN, Act.CHANGED):
            kind.append(_basis(version))
            node["dpv:hasDuration"] = until(version.expiry_ms)
        statuses.append(node)
    expiry_ms = versions[-1].expiry_ms
    if now_ms >= expiry_ms and not any(event.act is Act.WITHDRAWN for event in events):
        statuses.append({"@type": ["dpv:ConsentExpired"], "dpv:isIndicatedAtTime": moment(expiry_ms)})
    return statuses


def _basis(grant: Grant) -> str:
    return "dpv:ExplicitlyExpressedConsent" if grant.explicit else "dpv:ExpressedConsent"
