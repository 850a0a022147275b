"""The stand-in cloud's one page: what it holds, for whom, under which consent, and whether anything leaked.

Plain HTML without scripts; every text that came from outside is escaped.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from html import escape
from typing import Final

from tools import cloud_words as words
from tools.cloud_faults import Faults
from tools.cloud_records import CloudStats, Counts, Holding, Kept, Refused
from tools.cloud_store import CloudStore

__all__ = ["View", "gather", "render"]

REFRESH_S: Final = 3
RECIPIENTS_SHOWN: Final = 20
EVENTS_SHOWN: Final = 8
REFUSED_SHOWN: Final = 5
GRANTS_SHOWN: Final = 20

STYLE: Final = """
:root { color-scheme: light dark; --paper: #f6f5f2; --card: #fff; --ink: #23262b; --soft: #666b73;
  --line: #e3e1dc; --good: #1f6f4a; --good-paper: #e4f2ea; --bad: #a3242b; --bad-paper: #fbe6e6;
  --note: #7a5200; --note-paper: #fcf0d6; }
@media (prefers-color-scheme: dark) { :root { --paper: #17191c; --card: #202327; --ink: #e8e8e6;
  --soft: #a0a5ad; --line: #34383e; --good: #7fd6a8; --good-paper: #1b3328; --bad: #ff9c9c;
  --bad-paper: #43201f; --note: #f0c674; --note-paper: #3a2f17; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 68rem; padding: 1.25rem 1rem 3rem; background: var(--paper); color: var(--ink);
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif; }
p { margin: .25rem 0; } .soft { color: var(--soft); } .small { font-size: .875rem; }
.headline { border-radius: .75rem; padding: 1.1rem 1.25rem; margin: .75rem 0 1rem; background: var(--card); }
.headline h1 { margin: 0 0 .25rem; font-size: 1.5rem; line-height: 1.25; }
.good { background: var(--good-paper); } .good h1 { color: var(--good); }
.bad { background: var(--bad-paper); } .bad h1, .bad h3 { color: var(--bad); }
.note { background: var(--note-paper); } .note h1, .note strong { color: var(--note); }
.banner { border-radius: .75rem; padding: .6rem 1.25rem; margin: 0 0 1rem; }
section { background: var(--card); border: 1px solid var(--line); border-radius: .75rem; padding: 1rem 1.25rem;
  margin: 0 0 1rem; overflow-wrap: anywhere; }
h2 { margin: 0; font-size: 1.25rem; } h3 { margin: 1.1rem 0 .35rem; font-size: 1rem; }
ul { margin: 0; padding: 0; list-style: none; } li { padding: .3rem 0; }
li + li { border-top: 1px solid var(--line); }
.box { border-radius: .5rem; padding: .1rem 1rem .6rem; margin-top: 1rem; }
table { border-collapse: collapse; width: 100%; font-size: .9375rem; }
th { text-align: left; font-weight: 600; color: var(--soft); font-size: .8125rem; }
th, td { padding: .4rem .9rem .4rem 0; vertical-align: top; border-bottom: 1px solid var(--line); }
tr:last-child td { border-bottom: 0; } td.value { font-variant-numeric: tabular-nums; }
code { font: .8125rem ui-monospace, "DejaVu Sans Mono", monospace; color: var(--soft); white-space: nowrap; }
td.when { white-space: nowrap; }
a { color: inherit; }
@media (max-width: 48rem) { td.when { white-space: normal; } thead { display: none; }
  table, tbody, tr, td { display: block; }
  tr { border-bottom: 1px solid var(--line); padding: .5rem 0; } tr:last-child { border-bottom: 0; }
  td { border: 0; padding: .1rem 0; display: flex; gap: .75rem; }
  td::before { content: attr(data-name); flex: 0 0 5.5rem; color: var(--soft); font-size: .8125rem; } }
"""


@dataclass(frozen=True)
class RecipientView:
    """One recipient's part of the page."""

    name: str
    counts: Counts
    holdings: list[Holding]
    events: list[Kept]
    refused: list[Refused]
    erasures: list[Kept]


@dataclass(frozen=True)
class View:
    """All that the page shows of the store."""

    stats: CloudStats
    recipients: list[RecipientView]


def gather(store: CloudStore) -> View:
    """Read what the page needs, in the store's thread."""
    stats = store.stats()
    names = sorted(stats.by_recipient, key=lambda name: (-stats.by_recipient[name].leaked, name))
    return View(
        stats,
        [
            RecipientView(
                name,
                stats.by_recipient[name],
                store.holdings(name),
                store.events(name, EVENTS_SHOWN),
                store.refused(name, REFUSED_SHOWN),
                store.erasures(name, 1),
            )
            for name in names[:RECIPIENTS_SHOWN]
        ],
    )


def render(view: View, faults: Faults, now_s: float) -> str:
    """The page at Unix time `now_s`, as HTML."""
    hidden = len(view.stats.by_recipient) - len(view.recipients)
    more = f"<p class=soft>{_e(words.plural(hidden, 'more recipient'))} not shown here.</p>" if hidden else ""
    body = "".join(
        (
            "<p class=soft>Stand-in cloud: everything that has left the house, as its recipients see it</p>",
            _headline(view.stats),
            _fault_banner(faults),
            *(_recipient(recipient, now_s) for recipient in view.recipients),
            more,
            _footer(view.stats),
        )
    )
    title = f"{view.stats.leaked} leaked!" if view.stats.leaked else "Nothing leaked"
    return (
        "<!doctype html><html lang=en><head><meta charset=utf-8>"
        f'<meta http-equiv=refresh content="{REFRESH_S}">'
        '<meta name=viewport content="width=device-width, initial-scale=1">'
        f'<link rel=icon href="data:,"><title>{_e(title)} · stand-in cloud</title>'
        f"<style>{STYLE}</style></head><body>{body}</body></html>"
    )


def _e(text: object) -> str:
    return escape(str(text))


def _headline(stats: CloudStats) -> str:
    if stats.leaked:
        kind, title = "bad", f"{words.plural(stats.leaked, 'event')} should not have left the house"
        text = "They came without a valid consent. They were turned away; the reasons are below."
    elif stats.refused or stats.malformed:
        kind, title = "note", "Nothing leaked, but something arrived that could not be read"
        text = (
            f"{words.plural(stats.refused, 'malformed event')} and "
            f"{words.plural(stats.malformed, 'unreadable message')} were turned away."
        )
    elif not stats.requests:
        kind, title = "", "Nothing has been received"
        text = "Nothing leaves the house until somebody there agrees to it, so this page stays empty until then."
    elif not stats.events:
        kind, title = "good", "Nothing leaked, and nothing is held"
        text = "What was received has been erased again, or there was nothing in it."
    else:
        kind, title = "good", "Nothing leaked"
        held = "The one event" if stats.events == 1 else f"Each of the {stats.events:,} events"
        text = f"{held} held here came with a consent that allows exactly this."
    return f'<div class="headline {kind}"><h1>{_e(title)}</h1><p>{_e(text)}</p></div>'


def _fault_banner(faults: Faults) -> str:
    does = {
        "slow": f"answers {words.number(faults.delay_s)} s late",
        "fail": f"takes nothing in and answers with status {faults.status}",
        "lose_answers": "takes everything in, but hangs up without an answer",
        "throttle": f"takes nothing in and asks to be left alone for {faults.retry_after} s",
    }.get(faults.mode)
    if does is None:
        return ""
    sometimes = "" if faults.probability == 1 else f", {faults.probability:.0%} of the time"
    return (
        f'<p class="banner note"><strong>This cloud was told to misbehave:</strong> it {_e(does)}{_e(sometimes)}.</p>'
    )


def _recipient(view: RecipientView, now_s: float) -> str:
    last = f", the last one {words.ago(now_s - view.events[0].arrived_s)}" if view.events else ""
    held = words.plural(view.counts.events, "event") if view.counts.events else "nothing"
    return (
        f"<section><h2>{_e(view.name)}</h2>"
        f"<p class=soft>holds {_e(held)}{_e(last)}</p>"
        f"{_refusals(view, now_s)}{_grants(view.holdings)}{_events(view.events)}{_notes(view, now_s)}</section>"
    )


def _refusals(view: RecipientView, now_s: float) -> str:
    if not view.refused:
        return ""
    items = "".join(
        f"<li><strong>{_e(_refused_subject(one))}</strong>: {_e(one.reason)} "
        f"<span class='soft small'>{_e(words.ago(now_s - one.arrived_s))}</span></li>"
        for one in view.refused
    )
    kind = "bad" if view.counts.leaked else "note"
    rest = view.counts.refused - len(view.refused)
    tail = f"<p class='soft small'>and {_e(words.plural(rest, 'event'))} before.</p>" if rest > 0 else ""
    return f"<div class='box {kind}'><h3>Turned away</h3><ul>{items}</ul>{tail}</div>"


def _refused_subject(one: Refused) -> str:
    try:
        event = json.loads(one.body)
    except ValueError:  # cut at the bound, or erased
        return "Event"
    return words.subject(event) if isinstance(event, dict) else "Event"


def _grants(holdings: list[Holding]) -> str:
    if not holdings:
        return ""
    items = "".join(
        f"<li><strong>{_e(words.sentence(grant.category))}</strong>: {_e(words.finely(grant.granularity))} "
        f"for <strong>{_e(words.purpose(grant.purpose))}</strong>, "
        f"until {_e(words.expiry(grant.expiry, to_the_minute=True))} · "
        f"{_e(words.plural(grant.events, 'event'))} <code>grant {_e(words.short(grant.grant))}</code></li>"
        for grant in holdings[:GRANTS_SHOWN]
    )
    return f"<h3>What the household allowed</h3><ul>{items}</ul>"


def _events(events: list[Kept]) -> str:
    if not events:
        return ""
    names = ("When", "What", "Value", "How finely", "For what", "Consent")
    rows = "".join(f"<tr>{_cells(names, kept.body)}</tr>" for kept in events)
    head = "".join(f"<th scope=col>{name}" for name in names)
    return f"<h3>What came last</h3><table><thead><tr>{head}</thead><tbody>{rows}</tbody></table>"


def _cells(names: Iterable[str], event: dict[str, object]) -> str:
    until = words.expiry(event.get("consentexpiry"), to_the_minute=False)
    texts = (
        _e(words.when(event)),
        f"<span>{_e(words.subject(event))}<br><code>{_e(_device(event))}</code></span>",
        _e(words.value(event)),
        _e(words.finely(str(event.get("consentgranularity")))),
        _e(words.purpose(str(event.get("consentpurpose")))),
        f"<span>until {_e(until)}<br><code>{_e(words.short(str(event.get('consentgrant'))))}</code></span>",
    )
    kinds = (" class=when", "", " class=value", "", "", "")
    return "".join(
        f'<td{kind} data-name="{name}">{text}</td>' for name, kind, text in zip(names, kinds, texts, strict=True)
    )


def _device(event: dict[str, object]) -> str:
    """The start of the pseudonym: enough to tell a household's devices apart, short enough for a phone."""
    source = str(event.get("source"))
    return "device " + source.rpartition(":")[2][:6]


def _notes(view: RecipientView, now_s: float) -> str:
    counts = view.counts
    notes = []
    if counts.duplicates:
        again = f"{words.plural(counts.duplicates, 'event')} came again and"
        notes.append(f"{again} {'was' if counts.duplicates == 1 else 'were'} not kept twice")
    if counts.conflicts:
        notes.append(f"{counts.conflicts:,} of them differed from what came first")
    if counts.erasures:
        last = words.ago(now_s - view.erasures[0].arrived_s) if view.erasures else "before"
        gone = words.plural(counts.erased, "event")
        notes.append(f"{gone} erased at the household's signed request, last asked {last}")
    return f"<p class='soft small'>{_e('; '.join(notes)).capitalize()}.</p>" if notes else ""


def _footer(stats: CloudStats) -> str:
    numbers = (
        "Device numbers are made up for each recipient, so that two of them cannot compare notes. "
        "Times are UTC unless marked. "
    )
    return (
        f"<p class='soft small'>{_e(words.plural(stats.requests, 'message'))} with "
        f"{_e(words.plural(stats.bytes_received, 'byte'))} received in all. {numbers if stats.events else ''}"
        f"This page renews itself every {REFRESH_S} seconds. For programs: <a href=/stats>counts</a>, "
        "<a href=/events>events</a>, <a href=/refused>turned away</a>, <a href=/erasures>erasures</a>.</p>"
    )
