"""The stand-in cloud: takes consented CloudEvents over HTTP, holds them once, and tells whether any leaked.

    python -m tools.cloud --port 8099 --db cloud.sqlite

It is a test instrument for one machine: it has no login for its pages, and so listens on loopback only.
Its file grows with what it is sent; delete it to begin anew.
"""

from __future__ import annotations

import argparse
import asyncio
import errno
import ipaddress
import signal
import sqlite3
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from aiohttp import web

from tools.cloud_faults import MODES, Dice, Faults, FaultsError
from tools.cloud_http import CloudHttp, Terms
from tools.cloud_records import CloudStats, Counts, Holding
from tools.cloud_store import CloudStore
from tools.cloud_thread import StoreThread

__all__ = ["Cloud", "CloudError", "CloudStats", "Counts", "Faults", "FaultsError", "main"]

SHUTDOWN_S = 0.2  # for answers under way; those that a fault delays are not worth waiting for
STATS_AT_END = ("events", "duplicates", "conflicts", "refused", "leaked")


class CloudError(Exception):
    """The cloud cannot start or is not running; the message says what to do."""


class Cloud:
    """One server with one file.

    `token`: where set, events and notices need it as a bearer token. `now` gives Unix seconds, the clock that
    expiries are held against. `expected_grants`: where set, events under any other grant id are leaks; it may
    be replaced or added to at any time, as `faults` may be replaced. `keys`: the household's public key for a
    recipient, where it is known; notices to that one are then believed with this key only. Raises CloudError where
    `host` is not loopback.
    """

    def __init__(
        self,
        path_db: str | Path,
        host: str = "127.0.0.1",
        port: int = 0,
        *,
        token: str | None = None,
        now: Callable[[], float] = time.time,
        expected_grants: set[str] | None = None,
        faults: Faults | None = None,
        keys: Mapping[str, bytes] | None = None,
    ) -> None:
        if not _is_loopback(host):
            raise CloudError(f"{host} is not this machine alone, and the cloud has no login: use 127.0.0.1.")
        self._path = Path(path_db)
        self._host, self._port = host, port
        self._terms = Terms(token, now, expected_grants, Dice(faults or Faults()), keys or {})
        self._store: StoreThread | None = None
        self._runner: web.AppRunner | None = None
        self._last_stats = CloudStats()

    async def start(self) -> None:
        """Open the file and listen; raises CloudError where either cannot be."""
        try:
            self._store = StoreThread(self._path)
            app = CloudHttp(self._store, self._terms).app()
            self._runner = web.AppRunner(app, access_log=None, auto_decompress=False, shutdown_timeout=SHUTDOWN_S)
            await self._runner.setup()
            await web.TCPSite(self._runner, self._host, self._port).start()
        except sqlite3.Error as error:
            await self.close()
            raise CloudError(f"Cannot keep events in {self._path}: {error}. Name another file with --db.") from error
        except OSError as error:
            await self.close()
            raise CloudError(_listen_sentence(self._host, self._port, error)) from error

    async def close(self) -> None:
        """Stop listening, drop answers that are still delayed, close the file. May be called twice."""
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.cleanup()
        store, self._store = self._store, None
        if store is not None:
            self._last_stats = store.stats()
            store.close()

    @property
    def url(self) -> str:
        """Where it listens, such as http://127.0.0.1:8099; without a slash at the end."""
        if self._runner is None or not self._runner.addresses:
            raise CloudError("The cloud is not running: call start() first.")
        host, port = self._runner.addresses[0][:2]
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    def stats(self) -> CloudStats:
        """The counts up to the last answer given, at least; after close(), what they were then."""
        return self._last_stats if self._store is None else self._store.stats()

    async def holdings(self, recipient: str) -> list[Holding]:
        """What is held for a recipient, by grant and category: to be audited against the household's own register."""
        if self._store is None:
            raise CloudError("The cloud is not running: call start() first.")
        return await self._store.run(CloudStore.holdings, recipient)

    @property
    def expected_grants(self) -> set[str] | None:
        """The grants that are known to be given; None = any."""
        return self._terms.expected_grants

    @expected_grants.setter
    def expected_grants(self, grants: set[str] | None) -> None:
        self._terms.expected_grants = grants

    @property
    def keys(self) -> Mapping[str, bytes]:
        """The household's public key, for a recipient."""
        return self._terms.keys

    @keys.setter
    def keys(self, keys: Mapping[str, bytes]) -> None:
        self._terms.keys = keys

    @property
    def faults(self) -> Faults:
        """How it misbehaves now; setting it begins anew with the seed."""
        return self._terms.dice.faults

    @faults.setter
    def faults(self, faults: Faults) -> None:
        self._terms.dice = Dice(faults)


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _listen_sentence(host: str, port: int, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return (
            f"Port {port} on {host} is taken: stop the program that has it, or choose another port "
            f"with --port (--port 0 takes any that is free)."
        )
    if error.errno == errno.EACCES:
        return f"Port {port} is not for everyone: choose one above 1023 with --port."
    return f"Cannot listen on {host}, port {port}: {error.strerror or error}. Choose another with --host or --port."


def _arguments() -> argparse.ArgumentParser:
    standard = Faults()
    parser = argparse.ArgumentParser(
        prog="python -m tools.cloud",
        description="A stand-in for the cloud: takes CloudEvents, holds each once, checks their consent flags, "
        "and shows on a page what it holds and whether anything leaked.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--host", default="127.0.0.1", help="loopback address to listen on")
    parser.add_argument("--port", type=int, default=8099, help="port to listen on; 0 takes any that is free")
    parser.add_argument("--db", type=Path, default=Path("cloud.sqlite"), help="file to hold events in")
    parser.add_argument(
        "--token",
        default=argparse.SUPPRESS,  # so that the help does not call it "None"
        help="bearer token that senders must show (default: none is asked for)",
    )
    parser.add_argument(
        "--mode",
        choices=list(MODES),
        default=standard.mode,
        help="how to misbehave: " + "; ".join(f"{mode} {does}" for mode, does in MODES.items()),
    )
    parser.add_argument("--delay-s", type=float, default=standard.delay_s, help="of the mode slow")
    parser.add_argument("--status", type=int, default=standard.status, help="of the mode fail")
    parser.add_argument("--retry-after-s", type=float, default=standard.retry_after_s, help="of throttle")
    parser.add_argument(
        "--probability", type=float, default=standard.probability, help="that a request meets the fault"
    )
    parser.add_argument("--seed", type=int, default=standard.seed, help="of the dice for --probability")
    return parser


async def _serve(cloud: Cloud) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await cloud.start()
    print(f"Stand-in cloud on {cloud.url}/ (Ctrl-C stops it)", flush=True)
    try:
        await stop.wait()
    finally:
        await cloud.close()
    stats = cloud.stats()
    print(", ".join(f"{getattr(stats, name)} {name}" for name in STATS_AT_END), flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run until interrupted; returns the exit status (2 = could not start, with a sentence on stderr)."""
    parser = _arguments()
    given = parser.parse_args(arguments)
    if not 0 <= given.port <= 65535:
        parser.error("--port must be between 0 and 65535")
    try:
        faults = Faults(given.mode, given.delay_s, given.status, given.retry_after_s, given.probability, given.seed)
    except FaultsError as error:
        parser.error(str(error))
    try:
        asyncio.run(_serve(Cloud(given.db, given.host, given.port, token=vars(given).get("token"), faults=faults)))
    except CloudError as error:
        print(f"cloud: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
