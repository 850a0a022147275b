"""How a receipt spells its parts in JSON-LD: texts with their language, times, checksums, parties, schedules."""

import uuid
from datetime import UTC, datetime
from typing import Any

from gateway.consent.hours import DAY_NAMES, Hours, clock
from gateway.consent.vocabulary import Party

Node = dict[str, Any]

_NAMES = uuid.UUID("3d0e6f6a-54c1-5c8e-9d55-7c4c2d1f7b10")

_TIMES = ("dct:created", "dct:modified", "dpv:isIndicatedAtTime", "dcat:startDate", "dcat:endDate")
CONTEXT: Node = {
    "dcat": "http://www.w3.org/ns/dcat#",
    "dct": "http://purl.org/dc/terms/",
    "dpv": "https://w3id.org/dpv#",
    "loc": "https://w3id.org/dpv/loc#",
    "pd": "https://w3id.org/dpv/pd#",
    "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
    "schema": "https://schema.org/",
    "skos": "http://www.w3.org/2004/02/skos/core#",
    "spdx": "http://spdx.org/rdf/terms#",
    "xsd": "http://www.w3.org/2001/XMLSchema#",
    **{name: {"@type": "xsd:dateTime"} for name in _TIMES},
}


def urn(name: str) -> str:
    """The same UUID (RFC 9562 section 5.5) for the same name, for ever."""
    return f"urn:uuid:{uuid.uuid5(_NAMES, name)}"


def ref(term: str) -> Node:
    """A term or another node, by its name."""
    return {"@id": term}


def text_in(text: str, language: str = "en") -> Node:
    """A text in a language."""
    return {"@value": text, "@language": language}


def moment(time_ms: int) -> str:
    """Unix milliseconds as an xsd:dateTime in UTC."""
    whole = datetime.fromtimestamp(time_ms // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{whole}.{time_ms % 1000:03}Z"


def until(time_ms: int) -> Node:
    """A duration that ends at a time."""
    return {
        "@type": "dpv:UntilTimeDuration",
        "rdf:value": {"@type": "xsd:dateTime", "@value": moment(time_ms)},
    }


def period(start_ms: int, end_ms: int) -> Node:
    """A time from which and one until which something holds."""
    return {"@type": "dct:PeriodOfTime", "dcat:startDate": moment(start_ms), "dcat:endDate": moment(end_ms)}


def checksum(sha256_hex: str) -> Node:
    """A SHA-256 digest."""
    return {
        "@type": "spdx:Checksum",
        "spdx:algorithm": ref("spdx:checksumAlgorithm_sha256"),
        "spdx:checksumValue": sha256_hex,
    }


def schedule(hours: Hours) -> Node:
    """Hours of the day and days of the week."""
    days = range(7) if hours.days is None else hours.days
    return {
        "@type": ["dpv:Scope", "schema:Schedule"],
        "dct:description": text_in(f"only {hours.in_words()}"),
        "schema:byDay": [ref(f"schema:{DAY_NAMES[day]}") for day in days],
        "schema:startTime": clock(hours.start_min),
        "schema:endTime": clock(hours.end_min),
        "schema:scheduleTimezone": hours.timezone,
    }


def entity(id_: str, word: str, sentence: str | None, party: Party) -> Node:
    """Who a recipient is, as far as somebody has said it."""
    node: Node = {
        "@id": id_,
        "@type": ["dpv:DataController", "dpv:Recipient"],
        "dct:identifier": word,
        "dpv:hasName": party.name or word,
    }
    if sentence is not None:
        node["dct:description"] = text_in(sentence)
    if party.contact is not None:
        node["dpv:hasContact"] = party.contact
    if party.address is not None:
        node["dpv:hasAddress"] = party.address
    if party.url is not None:
        node["schema:url"] = party.url
    return node
