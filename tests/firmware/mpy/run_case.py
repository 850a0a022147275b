"""Runs one function of one script under MicroPython: run_case.py FOLDER[:FOLDER…] SCRIPT FUNCTION."""

import asyncio
import sys

sys.path[:0] = sys.argv[1].split(":")
result = getattr(__import__(sys.argv[2]), sys.argv[3])()
if hasattr(result, "send"):
    asyncio.run(result)
