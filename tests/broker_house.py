"""A household's broker as `hearthgate broker setup` makes it: real Mosquitto on generated files, on a loopback port."""

from __future__ import annotations

import getpass
import hashlib
import socket
import ssl
import subprocess
import time
from collections.abc import Sequence
from datetime import UTC, datetime

import aiomqtt

from gateway.broker import mosquitto
from gateway.broker.access import mqtt_password
from gateway.broker.folder import BrokerFolder, Told

DEVICE, OTHER = "5e0000000001", "5e0000000002"
KEY, OTHER_KEY = (hashlib.sha256(name.encode()).digest() for name in (DEVICE, OTHER))
PATIENCE_S = 20.0


class Household:
    """Two boards are enrolled. `restart` starts Mosquitto, or starts it again."""

    def __init__(self, executable: str, folder: BrokerFolder, hosts: Sequence[str], port: int) -> None:
        self.folder, self.port = folder, port
        self._executable = executable
        self._process: subprocess.Popen[bytes] | None = None
        self.make(folder, hosts)
        self.restart()

    def make(self, folder: BrokerFolder, hosts: Sequence[str]) -> None:
        folder.set_up(
            hosts=hosts,
            port=self.port,
            gateways=["gateway"],
            devices={DEVICE: mqtt_password(KEY), OTHER: mqtt_password(OTHER_KEY)},
            now=datetime.now(UTC),
            user=getpass.getuser(),
            executable=self._executable,
        )

    def restart(self) -> None:
        self.stop()
        command = [self._executable, "-c", str(self.folder.path / mosquitto.CONFIGURATION)]
        with (self.folder.path / "log").open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            except OSError:
                time.sleep(0.02)
            else:
                return
        raise RuntimeError((self.folder.path / "log").read_text())

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait(PATIENCE_S)
            self._process = None

    def reload(self) -> None:
        """Let Mosquitto read its files again, and wait until it shows the certificate that is in them."""
        assert self.folder.reload() is Told.YES
        wanted = (self.folder.path / mosquitto.SERVER).read_text()
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            if ssl.get_server_certificate(("127.0.0.1", self.port)).strip() in wanted:
                return
            time.sleep(0.02)
        raise RuntimeError((self.folder.path / "log").read_text())

    def tls(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=self.folder.path / "ca.crt")

    def client(self, user: str | None, password: str | None, client_id: str | None = None) -> aiomqtt.Client:
        return aiomqtt.Client(
            "127.0.0.1", self.port, username=user, password=password, identifier=client_id or user,
            tls_context=self.tls(), timeout=5,
        )  # fmt: skip
