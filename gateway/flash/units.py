"""The units that a channel may have: those of SenML, which everybody who gets its readings knows."""

from __future__ import annotations

from typing import Final

__all__ = ["UNITS"]

UNITS: Final = frozenset((
    # RFC 8428, section 12.1.
    "m", "kg", "g", "s", "A", "K", "cd", "mol", "Hz", "rad", "sr", "N", "Pa", "J", "W", "C", "V", "F", "Ohm", "S",
    "Wb", "T", "H", "Cel", "lm", "lx", "Bq", "Gy", "Sv", "kat", "m2", "m3", "l", "m/s", "m/s2", "m3/s", "l/s",
    "W/m2", "cd/m2", "bit", "bit/s", "lat", "lon", "pH", "dB", "dBW", "Bspl", "count", "/", "%", "%RH", "%EL", "EL",
    "1/s", "1/min", "beat/min", "beats", "S/m",
    # RFC 8798, section 2. Its secondary units are these with a factor, which a channel has itself: num and den.
    "B", "VA", "VAs", "var", "vars", "J/m", "kg/m3", "deg",
))  # fmt: skip
"""Symbols of the SenML Units registry."""
