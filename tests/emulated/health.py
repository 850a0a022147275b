"""What a board's health line tells a test."""

from __future__ import annotations

from typing import Any

__all__ = ["odd"]


def odd(health: dict[str, Any]) -> dict[str, int]:
    """Why messages were refused, and how many; but for acks that say no more than the one before, which a gateway that
    commits more than once a second sends."""
    return {why: n for why, n in health["refused"].items() if why != "old"}
