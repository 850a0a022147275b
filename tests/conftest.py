"""Fixtures that every test folder shares: the real MicroPython, and real brokers on loopback ports of their own."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

import pytest

PATIENCE_S = 20.0
"""How long anything may take to come up or go down on a slow machine before the test gives up."""

# A shell's background job and a parallel run ignore Ctrl-C, and so would what the tests start and send one.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


class Broker(Protocol):
    """A broker on 127.0.0.1 at `port`; start() again after stop() takes the same port, with nothing remembered."""

    port: int

    def start(self) -> None: ...

    def stop(self) -> None: ...


BrokerFactory = Callable[..., Broker]
"""Called with tls=(certificate, key), two PEM files, or without; returns a broker that runs."""


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _executable(name: str, *folders: str) -> str:
    path = shutil.which(name, path=os.pathsep.join([*folders, os.environ.get("PATH", os.defpath)]))
    if path is None:
        pytest.fail(f"{name} is not installed: tools/test installs what the tests need")
    return path


def _await_port(port: int, alive: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline and alive():
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        time.sleep(0.02)
    raise RuntimeError(f"no broker came up on port {port}")


class Mosquitto:
    """A mosquitto process with a configuration file of its own."""

    def __init__(self, executable: str, folder: Path, tls: tuple[Path, Path] | None, extra: str) -> None:
        self.port = _free_port()
        self._command = [executable, "-c", str(folder / f"mosquitto-{self.port}.conf")]
        self._log = folder / f"mosquitto-{self.port}.log"
        lines = [f"listener {self.port} 127.0.0.1", "allow_anonymous true", "set_tcp_nodelay true", extra]
        if tls:
            lines += [f"certfile {tls[0]}", f"keyfile {tls[1]}"]
        if os.getuid() == 0:
            lines.append("user root")  # else it drops to a user who may not read the test's folder
        Path(self._command[2]).write_text("\n".join(lines) + "\n")
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self._log.open("ab") as log:
            process = subprocess.Popen(self._command, stdout=log, stderr=log)
        self._process = process
        _await_port(self.port, lambda: process.poll() is None)

    def stop(self) -> None:
        if self._process:
            self._process.kill()
            self._process.wait(PATIENCE_S)
            self._process = None


class Amqtt:
    """An amqtt broker in a thread with an event loop of its own."""

    def __init__(self, tls: tuple[Path, Path] | None) -> None:
        self.port = _free_port()
        listener: dict[str, Any] = {"type": "tcp", "bind": f"127.0.0.1:{self.port}"}
        if tls:
            listener |= {"ssl": True, "certfile": str(tls[0]), "keyfile": str(tls[1])}
        anonymous = {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}}
        self._config = {"listeners": {"default": listener}, "plugins": anonymous}
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._done: asyncio.Event | None = None

    def start(self) -> None:
        thread = threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True)
        self._thread = thread
        thread.start()
        _await_port(self.port, thread.is_alive)

    def stop(self) -> None:
        if self._thread and self._loop and self._done:
            self._loop.call_soon_threadsafe(self._done.set)
            self._thread.join(PATIENCE_S)
            self._thread = None

    async def _serve(self) -> None:
        from amqtt.broker import Broker as AmqttBroker

        self._loop, self._done = asyncio.get_running_loop(), asyncio.Event()
        broker = AmqttBroker(self._config)
        await broker.start()
        await self._done.wait()
        await broker.shutdown()


@pytest.fixture
def free_port() -> int:
    """A loopback port that nothing listened on a moment ago."""
    return _free_port()


@pytest.fixture(scope="session")
def micropython() -> str:
    """Path of the MicroPython unix port, preferably of the environment that runs the tests."""
    return _executable("micropython", os.path.dirname(sys.executable))


@pytest.fixture
def mosquitto(tmp_path: Path) -> Iterator[BrokerFactory]:
    """Factory of mosquitto brokers; `extra` holds more lines of configuration. All are killed after the test."""
    executable = _executable("mosquitto", "/usr/sbin", "/usr/local/sbin")
    brokers: list[Mosquitto] = []

    def make(tls: tuple[Path, Path] | None = None, extra: str = "") -> Mosquitto:
        broker = Mosquitto(executable, tmp_path, tls, extra)
        brokers.append(broker)
        broker.start()
        return broker

    yield make
    for broker in brokers:
        broker.stop()


@pytest.fixture
def amqtt_broker() -> Iterator[BrokerFactory]:
    """Factory of amqtt brokers, in threads of this process. All are shut down after the test."""
    brokers: list[Amqtt] = []

    def make(tls: tuple[Path, Path] | None = None) -> Amqtt:
        broker = Amqtt(tls)
        brokers.append(broker)
        broker.start()
        return broker

    yield make
    for broker in brokers:
        broker.stop()


@pytest.fixture
def household_broker(tmp_path: Path) -> Iterator[Callable[..., Any]]:
    """Factory of Mosquittos as `hearthgate broker setup` makes them, for the hosts that are given (tests.broker_house).
    All are killed after the test."""
    from gateway.broker.folder import BrokerFolder
    from tests.broker_house import Household

    executable = _executable("mosquitto", "/usr/sbin", "/usr/local/sbin")
    houses: list[Household] = []

    def make(*hosts: str) -> Household:
        folder = BrokerFolder(tmp_path / f"broker-{len(houses)}")
        houses.append(Household(executable, folder, hosts, _free_port()))
        return houses[-1]

    yield make
    for house in houses:
        house.stop()
