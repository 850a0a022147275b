"""The words of consent, each with a sentence that a household understands: data, not code (vocabulary.toml)."""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from enum import StrEnum
from functools import cache, lru_cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any

from gateway.errors import HearthgateError

WORD = re.compile(r"[a-z][a-z0-9-]{0,31}")
MAX_SENTENCE = 200
_MINUTES = {"min": 1, "h": 60, "d": 1440}
_LENGTH = re.compile(r"([1-9][0-9]{0,3})(min|h|d)")
_LONGEST_MIN = 31 * 1440


class VocabularyError(HearthgateError, ValueError):
    """A word that cannot be added; the text says which, and what it takes."""


class Granularity(StrEnum):
    """How finely data may leave. Beside the five that stand here, every length of time from 1min to 31d is one
    ("6h", "7d"): its word says its length, so that a household's own needs a sentence and no code."""

    RAW = "raw"
    QUARTER_HOUR = "15min"
    HOUR = "hour"
    DAY = "day"
    EVENT = "event"

    @classmethod
    def _missing_(cls, value: object) -> "Granularity | None":
        if not isinstance(value, str) or not 1 <= _length_min(value) <= _LONGEST_MIN:
            return None
        own = str.__new__(cls, value)
        own._name_ = own._value_ = value
        # One object a word, as of every other member: two of them would not be the same key.
        return cls._value2member_map_.setdefault(value, own)  # type: ignore[return-value]

    @property
    def bucket_ms(self) -> int | None:
        """The length of an aggregate, or None where readings leave as they are."""
        return _length_min(self) * 60_000 or None

    @property
    def fineness(self) -> tuple[int, int]:
        """Sorts from the one that tells most to the one that tells least."""
        return (0 if self is Granularity.RAW else 1 if self is Granularity.EVENT else 2, _length_min(self))


@lru_cache(maxsize=256)
def _length_min(word: str) -> int:
    """How many minutes a granularity's word stands for; 0 if it is no length."""
    match = _LENGTH.fullmatch({"hour": "1h", "day": "1d"}.get(word, word))
    return int(match[1]) * _MINUTES[match[2]] if match else 0


# From the one that tells most to the one that tells least: where two grants allow a reading, the first decides.
FINEST_FIRST = tuple(sorted(Granularity, key=lambda granularity: granularity.fineness))


@dataclass(frozen=True, slots=True)
class Party:
    """Who a recipient is, for the receipts: whatever of it somebody has said. `jurisdiction` and `storage` (where it
    keeps the data) are ISO 3166 codes, or EU."""

    name: str | None = None
    address: str | None = None
    contact: str | None = None
    url: str | None = None
    jurisdiction: str | None = None
    storage: str | None = None


_PARTY = tuple(f.name for f in fields(Party))
_KEYS: dict[str, dict[str, type]] = {
    "recipients": {"sentence": str, **dict.fromkeys(_PARTY, str)},
    "purposes": {"sentence": str, "dpv": str, "adults_only": bool},
    "categories": {"sentence": str, "dpv": str, "sensitive": bool, "special": bool},
    "granularities": {"sentence": str},
}
_FLAGS = frozenset({"sensitive", "special", "adults_only"})
_TERM = re.compile(r"(dpv|pd):[A-Z][A-Za-z0-9]{0,63}")


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The words that a grant may be given in, each with its sentence. It does not change: `extended` gives another.

    `sensitive` holds categories that need a second, explicit yes, `special` those of them that GDPR Article 9 names,
    `adults_only` purposes that a child cannot grant, `parties` who a recipient is where that was said, and `terms` the
    Data Privacy Vocabulary's term of a (table, word).
    """

    recipients: Mapping[str, str]
    purposes: Mapping[str, str]
    categories: Mapping[str, str]
    granularities: Mapping[str, str]
    sensitive: frozenset[str] = frozenset()
    special: frozenset[str] = frozenset()
    adults_only: frozenset[str] = frozenset()
    parties: Mapping[str, Party] = field(default_factory=dict)
    terms: Mapping[tuple[str, str], str] = field(default_factory=dict)

    @classmethod
    def standard(cls) -> "Vocabulary":
        """The words that every household has."""
        return _standard()

    def extended(self, tables: Mapping[str, Any]) -> "Vocabulary":
        """These words and those of `tables`, as vocabulary.toml writes them: {table: {word: sentence or {key: value}}}.

        A word that is known keeps its meaning, so that nobody can rename what was agreed to: it can only become
        stricter (sensitive, adults only), and a recipient can be told more of. Raises VocabularyError.
        """
        extended = self
        for table, words in tables.items():
            if table not in _KEYS:
                raise VocabularyError(f"the vocabulary has no table {table!r}; it has {', '.join(_KEYS)}")
            if not isinstance(words, Mapping):
                raise VocabularyError(f"vocabulary.{table} is a table: a word and its sentence in each line")
            for word, entry in words.items():
                extended = extended._with(table, str(word), entry)
        return extended

    def _with(self, table: str, word: str, entry: object) -> "Vocabulary":
        where = f"vocabulary.{table}.{word}"
        said = _entry(where, table, word, entry)
        known: Mapping[str, str] = getattr(self, table)
        new: dict[str, Any] = {}
        if word not in known:
            new[table] = MappingProxyType({**known, word: _line(where, said.get("sentence"))})
        elif said.get("sentence", known[word]) != known[word]:
            raise VocabularyError(f"{where} already means {known[word]!r}, and words keep their meaning; take another")
        for flag in _FLAGS & said.keys():
            flagged: frozenset[str] = getattr(self, flag)
            if not said[flag] and word in flagged:
                raise VocabularyError(f"{where}.{flag} cannot be taken away")
            if said[flag]:
                new[flag] = flagged | {word}
        if "special" in new:
            new["sensitive"] = new.get("sensitive", self.sensitive) | {word}
        if "dpv" in said:
            if self.terms.get((table, word), said["dpv"]) != said["dpv"] or not _TERM.fullmatch(said["dpv"]):
                raise VocabularyError(
                    f"{where}.dpv is {said['dpv']!r}; it is one term such as dpv:Marketing, once said"
                )
            new["terms"] = MappingProxyType({**self.terms, (table, word): said["dpv"]})
        if party := {key: _line(f"{where}.{key}", said[key]) for key in _PARTY if key in said}:
            new["parties"] = MappingProxyType({**self.parties, word: replace(self.parties.get(word, Party()), **party)})
        return replace(self, **new)


def _entry(where: str, table: str, word: str, entry: object) -> dict[str, Any]:
    """What an entry says, as {key: value} of the right types."""
    if table == "granularities":
        try:
            Granularity(word)
        except ValueError:
            raise VocabularyError(
                f"{where}: a granularity of your own is a length of time such as 30min, 6h or 7d"
            ) from None
    elif not WORD.fullmatch(word):
        raise VocabularyError(f"{where}: a word has up to 32 lower-case letters, digits and hyphens, a letter first")
    said = {"sentence": entry} if isinstance(entry, str) else entry
    if not isinstance(said, Mapping):
        raise VocabularyError(f"{where} is a sentence, or a table with a sentence in it")
    for key, value in said.items():
        wanted = _KEYS[table].get(key)
        if wanted is None:
            raise VocabularyError(f"{where} has no key {key!r}; it has {', '.join(_KEYS[table])}")
        if not isinstance(value, wanted):
            raise VocabularyError(f"{where}.{key} is {'true or false' if wanted is bool else 'a text'}")
    return dict(said)


def _line(where: str, text: str | None) -> str:
    if text is None or not text.strip():
        raise VocabularyError(f"{where} needs a sentence in plain words: a person reads it before agreeing")
    if len(text) > MAX_SENTENCE or not text.isprintable():
        raise VocabularyError(f"{where} is one line of up to {MAX_SENTENCE} characters")
    return text.strip()


@cache
def _standard() -> Vocabulary:
    empty: Mapping[str, str] = MappingProxyType({})
    text = files("gateway.consent").joinpath("vocabulary.toml").read_text(encoding="utf-8")
    return Vocabulary(empty, empty, empty, empty).extended(tomllib.loads(text))


GRANULARITIES = {granularity: Vocabulary.standard().granularities[granularity] for granularity in Granularity}
CATEGORIES = dict(Vocabulary.standard().categories)
PURPOSES = dict(Vocabulary.standard().purposes)
