"""`hearthgate consent`, run as a person runs it."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from gateway.app.now import real_now_ms
from gateway.consent import audit
from gateway.consent.receipt import open_receipt
from tests.gateway.commands import Done, run

SETTINGS = """
timezone = "Europe/Berlin"
[vocabulary.granularities]
6h = "lowest, mean and highest of each six hours"
[[sinks]]
name = "maker"
kind = "file"
recipient = "manufacturer"
purposes = ["service"]
path = "maker.jsonl"
"""
WORDS = ("--recipient", "manufacturer", "--purpose", "service", "--subject", "Ada")


def consent(folder: Path, *arguments: str, says: str = "") -> Done:
    return run(folder, "consent", *arguments, says=says)


def listed(folder: Path) -> list[dict[str, Any]]:
    return json.loads(consent(folder, "list", "--all", "--json").stdout)


@pytest.fixture
def house(tmp_path: Path) -> Path:
    (tmp_path / "hearthgate.toml").write_text(SETTINGS)
    return tmp_path


def test_several_things_are_given_in_one_act_and_a_sensitive_one_only_alone(house: Path):
    two = ("--category", "temperature", "--category", "door")
    given = consent(house, "grant", *WORDS, *two, "--granularity", "6h", "--weekdays", "mon-fri", "--yes")
    assert given.returncode == 0
    assert given.stdout.count("Granted: g-") == 2
    assert given.stderr == ""
    bundled = consent(house, "grant", *WORDS, "--category", "presence", *two, "--yes", "--explicit")
    assert (bundled.returncode, "ask for it alone" in bundled.stderr) == (2, True)
    unsaid = consent(house, "grant", *WORDS, "--category", "presence", "--yes")
    assert (unsaid.returncode, "second, explicit yes, --explicit" in unsaid.stderr) == (2, True)
    once = consent(house, "grant", *WORDS, "--category", "presence", says="y\nn\n")
    assert (once.returncode, "Nothing was changed" in once.stdout) == (1, True)
    twice = consent(house, "grant", *WORDS, "--category", "presence", says="y\ny\n")
    assert twice.returncode == 0
    grants = sorted(listed(house), key=lambda grant: ("temperature", "door", "presence").index(grant["category"]))
    assert len(grants) == 3
    assert [g["explicit"] for g in grants] == [False, False, True]
    assert grants[0]["hours"] == {"start_min": 0, "end_min": 1440, "timezone": "Europe/Berlin", "days": [0, 1, 2, 3, 4]}
    assert all(g["expiry_ms"] % 3_600_000 == 0 for g in grants)


def test_a_grant_is_changed_paused_resumed_and_taken_back_and_shows_it(house: Path):
    consent(house, "grant", *WORDS, "--category", "temperature", "--yes")
    (grant,) = listed(house)
    id_ = grant["id"]
    consent(house, "person", "add", "Tim", "--role", "child")
    changed = consent(house, "change", id_, "--granularity", "hour", "--days", "30", "--yes")
    assert "version 2" in changed.stdout
    assert "This takes the place" in changed.stdout
    assert consent(house, "pause", id_, "--by", "Tim").returncode == 0
    assert listed(house)[0]["state"] == "paused"
    assert consent(house, "resume", id_).returncode == 0
    assert listed(house)[0]["state"] == "holds"
    assert consent(house, "revoke", id_, "--by", "Tim").returncode == 0
    shown = json.loads(consent(house, "show", id_, "--json").stdout)
    assert (shown["state"], shown["version"], shown["events_sent"]) == ("revoked", 2, 0)
    assert [(event["act"], event["person"]) for event in shown["history"]] == [
        ("given", "Ada"),
        ("changed", "Ada"),
        ("paused", "Tim"),
        ("resumed", "Ada"),
        ("withdrawn", "Tim"),
    ]
    said = consent(house, "show", id_).stdout
    for version in shown["versions"]:
        assert version["text"] in said
        assert hashlib.sha256(version["text"].encode()).hexdigest() in said
    for late in ("pause", "resume", "change"):
        more = ("--days", "9", "--yes") if late == "change" else ()
        assert "revoked" in consent(house, late, id_, *more).stderr
    assert "Nothing leaves this house" in consent(house, "list").stdout
    assert "1 did once" in consent(house, "list").stdout


def test_a_change_of_a_grant_that_rests_says_that_it_rests(house: Path):
    consent(house, "grant", *WORDS, "--category", "temperature", "--yes")
    (grant,) = listed(house)
    consent(house, "pause", grant["id"])
    changed = consent(house, "change", grant["id"], "--granularity", "hour", "--yes")
    assert f"rests still: `hearthgate consent resume {grant['id']}`" in changed.stdout
    assert listed(house)[0]["state"] == "paused"


def test_a_device_that_nobody_knows_is_told(house: Path):
    given = consent(house, "grant", *WORDS, "--category", "door", "--device", "a0b1c2d3e4f5", "--yes")
    assert "no device a0b1c2d3e4f5 is enrolled (there: none yet)" in given.stderr


def test_one_that_begins_later_and_one_that_nobody_takes_are_told(house: Path):
    later = consent(house, "grant", *WORDS, "--category", "door", "--start", "2099-01-01", "--yes")
    assert "from 2099-01-01 00:00 (Europe/Berlin)" in later.stdout
    assert listed(house)[0]["state"] == "not started"
    words = ("--recipient", "manufacturer", "--purpose", "research", "--subject", "Ada", "--category", "door")
    assert "takes nothing for 'research'" in consent(house, "grant", *words, "--yes").stderr


def test_a_child_cannot_grant_marketing(house: Path):
    consent(house, "person", "add", "Tim", "--role", "child")
    words = ("--recipient", "manufacturer", "--purpose", "marketing", "--subject", "Tim", "--category", "door")
    done = consent(house, "grant", *words, "--yes")
    assert (done.returncode, "only an adult" in done.stderr) == (2, True)
    assert json.loads(consent(house, "people", "--json").stdout) == [{"name": "Tim", "role": "child"}]
    assert "adult" in consent(house, "person", "add", "Tim").stdout


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("show", "g-0"), "consent list"),
        (("change", "g-0", "--days", "3"), "consent list"),
        (("grant", *WORDS, "--category", "door", "--granularity", "5h", "--yes"), "[vocabulary]"),
        (("grant", *WORDS, "--category", "dor", "--yes"), "temperature"),
        (("grant", *WORDS, "--category", "door", "--hours", "8-20", "--yes"), "08:00-20:00"),
        (("rotate", "nobody"), "manufacturer"),
        (("preview",), "--recipient"),
        (("local-use", "presence"), "local-use presence unmeasured"),
        (("local-use", "nonsense", "keep"), "temperature"),
    ],
)
def test_what_cannot_be_done_is_a_sentence(house: Path, arguments: tuple[str, ...], says: str):
    done = consent(house, *arguments)
    assert done.returncode == 2
    assert says in done.stderr
    assert "Traceback" not in done.stderr


def test_the_words_are_those_of_the_settings_too(house: Path):
    said = consent(house, "words").stdout
    assert "6h" in said
    assert "lowest, mean and highest of each six hours" in said
    assert "(sink maker)" in said
    assert json.loads(consent(house, "words", "--json").stdout)["sensitive"] == ["health", "presence"]


def test_what_stays_on_its_board_is_said_and_shown(house: Path):
    assert "Everything that boards measure" in consent(house, "local-use").stdout
    assert "not even measured" in consent(house, "local-use", "presence", "unmeasured").stdout
    said = json.loads(consent(house, "local-use", "--json").stdout)
    assert said == [{"device": "*", "category": "presence", "mode": "unmeasured"}]


def test_new_names_are_made_on_request(house: Path):
    assert "1 time" in consent(house, "rotate", "manufacturer").stdout
    assert "2 times" in consent(house, "rotate", "manufacturer").stdout


def test_a_receipt_is_written_plain_and_signed(house: Path, household: Any):
    grant = household.grant()
    done = consent(house, "receipt", grant.id, "receipt.jsonld", "--signed", "receipt.cose")
    assert done.returncode == 0
    plain = json.loads((house / "receipt.jsonld").read_text())
    public = audit.signing_key(household.db).public
    assert public.hex() in done.stderr
    held = open_receipt(public, (house / "receipt.cose").read_bytes())
    assert (held.grant_id, held.document, held.head) == (grant.id, plain, audit.head(household.db))
    assert (house / "receipt.cose").stat().st_mode & 0o077 == 0
    again = consent(house, "receipt", grant.id, "receipt.jsonld")
    assert (again.returncode, "--force" in again.stderr) == (2, True)
    assert json.loads(consent(house, "receipt", grant.id).stdout)["@type"] == "dpv:ConsentReceipt"


def test_a_preview_shows_the_exact_body(house: Path, household: Any, board: Any):
    household.now_ms = real_now_ms()
    at_s = household.now_ms // 1000 - 600
    household.receive(board.birth(), board.rows(1, [[320, 0, 1500], [330, 0, 1500]], time_s=at_s))
    wanted = (
        "--recipient",
        "manufacturer",
        "--category",
        "temperature",
        "--purpose",
        "service",
        "--granularity",
        "raw",
    )
    (event,) = json.loads(consent(house, "preview", *wanted, "--body").stdout)
    assert len(event["data"]["values"]) == 2
    said = consent(house, "preview", *wanted).stdout
    body = consent(house, "preview", *wanted, "--body").stdout
    assert "would get 1 event" in said
    assert f"{len(body.encode()):,} bytes" in said
    assert json.loads(consent(house, "list", "--json").stdout) == []
    grant = household.grant()
    assert "would get 1 event" in consent(house, "preview", grant.id).stdout
