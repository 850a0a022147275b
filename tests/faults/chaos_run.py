"""A whole chaos run that has to be clean: real boards, broker, gateway and cloud, and a seed that failed once."""

from __future__ import annotations

import asyncio
from pathlib import Path

from tools import chaos


def nothing_is_lost_and_nothing_comes_twice(seed: int, faults: int, broker: str, folder: Path) -> chaos.Result:
    """Run it; what came of it, for what else a seed is there to show."""
    result = asyncio.run(chaos.run(seed, faults, broker, folder))
    figures = result.to_json()
    assert result.broken() == [], figures
    assert figures["faults"] == faults
    assert figures["accepted"] > faults
    assert figures["stored"] + figures["dropped"] >= figures["accepted"]
    assert figures["shared"] > figures["stored"]
    return result
