"""Hearthgate's gateway: stores what the household's boards say, once, and lets out only what was granted."""

__version__ = "0.1.0"
