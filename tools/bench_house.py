"""The processes that the gateway's benches need: Mosquitto as in a house, and the `hearthgate run` of this checkout."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from gateway.store import devices
from gateway.store.database import Database
from gateway.store.frames import SealedBirth, commit
from gateway.wire.birth import decode_birth
from gateway.wire.cose import open_sealed
from gateway.wire.downlink import Ack, decode_ack
from gateway.wire.topics import topic
from tools.fleet_frames import KEY, birth

__all__ = ["client", "enrol", "free_port", "gateway", "mosquitto", "opened_ack", "settings"]

_PATIENCE_S = 20.0


def free_port() -> int:
    """A loopback port that nothing listened on a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def mosquitto(folder: Path) -> Iterator[int]:
    """The port of a running Mosquitto. Raises RuntimeError if it is not installed or does not start."""
    executable = shutil.which("mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if executable is None:
        raise RuntimeError("this figure needs Mosquitto: apt install mosquitto")
    port, conf = free_port(), folder / "mosquitto.conf"
    # Its default of 1,000 waiting messages drops the rest without a word, and would measure our patience instead.
    lines = [f"listener {port} 127.0.0.1", "allow_anonymous true", "max_queued_messages 100000"]
    if os.getuid() == 0:
        lines.append("user root")  # else it drops to a user who may not read the folder
    conf.write_text("\n".join(lines) + "\n", encoding="ascii")
    with subprocess.Popen([executable, "-c", str(conf)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as it:
        try:
            _await_port(port)
            yield port
        finally:
            it.kill()


def _await_port(port: int) -> None:
    deadline = time.monotonic() + _PATIENCE_S
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.02)
    raise RuntimeError(f"Mosquitto does not listen on port {port}")


def settings(folder: Path, broker_port: int, *more: str, console: bool = False) -> Path:
    """A settings file for a gateway whose database is in `folder`; `more` are further lines of TOML."""
    path = folder / "hearthgate.toml"
    lines = [
        "[store]",
        f'path = "{folder}/hearthgate.sqlite"',
        "[broker]",
        'host = "127.0.0.1"',
        f"port = {broker_port}",
        'client_id = "bench"',
        "[console]",
        f"enabled = {'true' if console else 'false'}",
        f"port = {free_port()}",
        "[log]",
        'level = "error"',
        *more,
    ]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@contextlib.contextmanager
def gateway(path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """`hearthgate run` with these settings, killed (-9) at the end."""
    command = [sys.executable, "-m", "gateway", "--settings", str(path), "run"]
    root = Path(__file__).resolve().parent.parent
    with subprocess.Popen(command, cwd=root, stdin=subprocess.DEVNULL) as process:
        try:
            yield process
        finally:
            process.kill()


def client(port: int, name: str = "", *, clean: bool = True) -> paho.Client:
    """A connected MQTT client whose thread runs; stop it with `loop_stop()`."""
    made = paho.Client(CallbackAPIVersion.VERSION2, client_id=name, clean_session=clean)
    made.max_inflight_messages_set(200)
    made.max_queued_messages_set(0)
    made.connect("127.0.0.1", port)
    made.loop_start()
    return made


def enrol(db: Database, names: Iterable[str], now_ms: int) -> None:
    """Enrol fridges of a fleet, with the birth of their boot 1."""
    sealed = birth()
    payload = open_sealed(KEY, "birth", sealed)
    births = []
    for name in names:
        device = devices.enrol(db, name, name, now_ms, KEY)
        births.append(SealedBirth(device.id, topic(name, "birth"), decode_birth(payload), payload, now_ms))
    commit(db, births)


def opened_ack(message: bytes) -> Ack:
    """What an ack to a board of a fleet says. Raises WireError."""
    return decode_ack(open_sealed(KEY, "ack", message))
