"""Firmware over the air: what an update is, in which pieces it goes, and which board is next. Pure."""
