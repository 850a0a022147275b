"""What the demo's household came to, as figures and in sentences, and which promises it did not keep."""

from __future__ import annotations

from typing import Any

from gateway.consent import register
from tools.demo_consent import broken_consent
from tools.demo_household import Household, say

__all__ = ["broken_promises", "explain", "report"]


async def report(home: Household) -> dict[str, Any]:
    """What came of it all: the boards' own count beside the gateway's and the cloud's."""
    gateway = home.gateway
    counters = await gateway.store(gateway.db.counters)
    grants = {grant.id: grant for grant in await gateway.store(register.grants, gateway.db)}
    stats = home.cloud.stats()
    leaked = stats.leaked
    for recipient in stats.by_recipient:
        # The cloud checked that every event carries its flags; here its holdings are held against the register.
        for held in await home.cloud.holdings(recipient):
            grant = grants.get(held.grant)
            agreed = grant and (grant.recipient, grant.purpose, grant.granularity.value, grant.category)
            if agreed != (recipient, held.purpose, held.granularity, held.category):
                leaked += held.events
    health = [board.health or {} for board in home.boards]
    values = counters.get("values_stored", 0)
    return {
        "boards": len(home.boards),
        "frames_sealed": sum(h.get("frames_sealed", 0) for h in health),
        "frames_acked": sum(h.get("frames_acked", 0) for h in health),
        "frames_stored": counters.get("frames_stored", 0),
        "frames_duplicate": counters.get("frames_duplicate", 0),
        "readings_stored": counters.get("readings_stored", 0),
        "values_stored": values,
        "payload_bytes": counters.get("payload_bytes", 0),
        "bytes_per_value": round(counters.get("payload_bytes", 0) / values, 3) if values else None,
        "commits": counters.get("commits", 0),
        "cloud_events": stats.events,
        "cloud_erased": stats.erased,
        "cloud_duplicates": stats.duplicates,
        "withheld": counters.get("withheld", 0),
        "granted": counters.get("granted", 0),
        "leaked": leaked,
        "dead_letters": counters.get("dead_letters", 0),
        "heap_free": {h.get("kind", "?"): h.get("heap_free") for h in health},
        "uptime_s": {h.get("kind", "?"): h.get("uptime_s") for h in health},
        "crashes": sum(h.get("crashes", 0) for h in health),
    }


def broken_promises(result: dict[str, Any]) -> list[str]:
    """Which promises a finished demo did not keep, each as a sentence."""
    broken = []
    if result["leaked"]:
        broken.append(f"{result['leaked']} events reached the cloud without a grant")
    if result["cloud_duplicates"]:
        broken.append(f"the cloud got {result['cloud_duplicates']} events twice")
    if not result["frames_sealed"] == result["frames_stored"] == result["frames_acked"]:
        broken.append(
            f"boards sealed {result['frames_sealed']} frames, {result['frames_stored']} were stored and "
            f"{result['frames_acked']} acked"
        )
    if result["frames_sealed"] == 0:
        broken.append("no board sealed a frame")
    if result["dead_letters"]:
        broken.append(f"{result['dead_letters']} messages could not be used")
    return broken + broken_consent(result["consent"])


def explain(result: dict[str, Any]) -> None:
    """Say it in sentences."""
    r = result
    heaps = ", ".join(f"{kind} {free // 1024} KiB" for kind, free in r["heap_free"].items() if free)
    minutes = max(filter(None, r["uptime_s"].values()), default=0) // 60
    lines = (
        f"The boards sealed {r['frames_sealed']} frames; {r['frames_stored']} were stored, "
        f"and {r['frames_duplicate']} came again and were dropped.",
        f"{r['values_stored']} values in {r['payload_bytes']} bytes on the wire: "
        f"{r['bytes_per_value']} bytes a value, MAC included.",
        f"Granted: {r['granted']} values, sent as {r['cloud_events'] + r['cloud_erased']} events, of which the cloud "
        f"erased {r['cloud_erased']} when they were asked back. Kept at home: {r['withheld']} values.",
        f"Leaked: {r['leaked']}. Doubled at the cloud: {r['cloud_duplicates']}. Unusable: {r['dead_letters']}.",
        f"Heap free on the boards after {minutes} min, of 128 KiB: {heaps}.",
    )
    say("\n" + "\n".join(lines))
