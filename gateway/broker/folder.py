"""The folder with Mosquitto's files: made, changed while it runs, and told to Mosquitto. All file work is here.

  ca.crt        what boards and gateways trust: the authority, and while it is being changed also the next one
  ca.key        its key; next-ca.key is that of the next one
  server.pem    the broker's certificate and key
  NAME.password a gateway's password, and `look`'s; boards' passwords come from their keys and stand in no file
and Mosquitto's own (`mosquitto`). Everything belongs to the folder's owner, and nobody else can read it.
"""

import fcntl
import ipaddress
import os
import re
import secrets
import signal
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from pathlib import Path

from gateway.broker import certificates, mosquitto
from gateway.broker.access import GATEWAY, LOOK, check_gateway
from gateway.broker.certificates import CertificateError, Pair
from gateway.broker.passwords import fits, password_file
from gateway.errors import HearthgateError

CA, CA_KEY, NEXT_CA_KEY = "ca.crt", "ca.key", "next-ca.key"
_ENDING = ".password"
_START_S = 5.0
_PLAIN_PATH = re.compile(
    r"[^\s%\"'\\$]+"
)  # it stands in Mosquitto's and systemd's files, which each quote their own way
_CERTIFICATE = re.compile(rb"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----\n?", re.DOTALL)


class BrokerFolderError(HearthgateError):
    """The folder cannot be used; the text says what to do."""


class Told(Enum):
    """Whether Mosquitto knows of a change."""

    YES = "Mosquitto was told: it holds now, also for who is connected"
    NOT_RUNNING = "Mosquitto does not run on this folder: it holds when it is started"
    NOT_ALLOWED = "Mosquitto runs as somebody else; tell it by: sudo systemctl reload hearthgate-broker"


@dataclass(frozen=True, slots=True)
class Expiries:
    """Until when the certificates are good (UTC). `next_ca` is None unless the authority is being changed."""

    server: datetime
    ca: datetime
    next_ca: datetime | None


class BrokerFolder:
    """The files in `path`. Methods raise BrokerFolderError or CertificateError."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        if not _PLAIN_PATH.fullmatch(str(self.path)):
            raise BrokerFolderError(f"{self.path}: choose a folder without spaces, quotes, $, % and backslashes.")

    @property
    def exists(self) -> bool:
        """Whether `set_up` was here."""
        return (self.path / mosquitto.CONFIGURATION).exists()

    def set_up(
        self,
        *,
        hosts: Sequence[str],
        port: int,
        gateways: Sequence[str],
        devices: Mapping[str, str],
        now: datetime,
        user: str,
        executable: str,
    ) -> None:
        """Make what is missing and write the rest again. An authority and passwords that are there are kept; a
        certificate is made anew if it is for other hosts. `devices` are the boards' passwords by id."""
        for name in gateways:
            check_gateway(name)
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as why:
            raise BrokerFolderError(f"{self.path}: {why.strerror}. Choose another --folder.") from why
        with self._alone():
            if not self._has(CA):  # its key may be kept elsewhere
                ca = certificates.make_ca(now)
                self._write(CA_KEY, ca.key)
                self._write(CA, ca.certificate)
            if not self._has(mosquitto.SERVER) or set(certificates.hosts_of(self._read(mosquitto.SERVER))) != set(
                hosts
            ):
                self._make_server(hosts, now)
            for name in {GATEWAY, LOOK, *gateways}:
                if not self._has(name + _ENDING):
                    self._write(name + _ENDING, f"{secrets.token_urlsafe(32)}\n".encode())
            self._write_passwords(devices)
            self._write(mosquitto.ACL, mosquitto.acl(self._gateways()).encode())
            self._write(mosquitto.CONFIGURATION, mosquitto.configuration(self.path, port, user).encode())
            self._write(mosquitto.SERVICE, mosquitto.service(self.path, user, executable).encode())

    def admit(self, devices: Mapping[str, str]) -> bool:
        """Let in these boards (passwords by id) and no other; False if that is so already."""
        with self._alone():
            return self._write_passwords(devices)

    def renew(self, now: datetime, hosts: Sequence[str] | None = None) -> None:
        """A new certificate for the broker, for the same hosts unless others are given."""
        with self._alone():
            self._make_server(hosts or certificates.hosts_of(self._read(mosquitto.SERVER)), now)

    def cannot_renew(self, now: datetime) -> str | None:
        """Why `renew` would fail here, or gain nothing, and what to do; None if it would make one that lasts longer."""
        if not os.access(self.path, os.W_OK | os.X_OK):
            return f"this user may not write in {self.path}: run `hearthgate broker renew` as its owner"
        if not os.access(self.path / CA_KEY, os.R_OK):
            return f"{self.path / CA_KEY} is not there, or not readable: put it there, run `hearthgate broker renew`"
        until = self.expiries()
        if min(until.ca, now + timedelta(days=certificates.SERVER_DAYS)) <= until.server:
            return "the authority ends then too: run `hearthgate broker rotate-ca`, and follow its steps"
        return None

    def shows(self, certificate: str) -> bool:
        """Whether this certificate (PEM), which the broker showed, is the one that is here."""
        return certificate.strip().encode() in self._read(mosquitto.SERVER)

    def rotate_ca(self, now: datetime) -> None:
        """Make the next authority. Boards and gateways that get ca.crt from now on trust both; the broker still shows
        what the earlier one signed. Running it again makes no third one."""
        with self._alone():
            if self._next_ca() is None:
                ca = certificates.make_ca(now)
                self._write(NEXT_CA_KEY, ca.key)
                self._write(CA, self._authorities()[0] + ca.certificate)

    def finish_ca(self, now: datetime) -> None:
        """Go over to the next authority: from now on who trusts the earlier one alone is shut out."""
        with self._alone():
            ca = self._next_ca()
            if ca is None:
                raise BrokerFolderError("no next authority was made; `hearthgate broker rotate-ca` makes one.")
            # In this order it can be cut anywhere, and be done again.
            server = certificates.make_server(ca, certificates.hosts_of(self._read(mosquitto.SERVER)), now)
            self._write(mosquitto.SERVER, server.certificate + server.key)
            self._write(CA, ca.certificate)
            (self.path / NEXT_CA_KEY).replace(self.path / CA_KEY)

    def expiries(self) -> Expiries:
        """Until when the certificates are good."""
        authorities = self._authorities()
        return Expiries(
            certificates.expiry(self._read(mosquitto.SERVER)),
            certificates.expiry(authorities[0]),
            certificates.expiry(authorities[1]) if len(authorities) > 1 else None,
        )

    def certified(self, host: str) -> bool:
        """Whether the broker's certificate is for that name or address: else who verifies it does not connect."""
        with suppress(ValueError):
            host = str(ipaddress.ip_address(host))
        return host.lower() in map(str.lower, certificates.hosts_of(self._read(mosquitto.SERVER)))

    def trouble(self) -> str | None:
        """What in the files would make the broker useless, as a sentence; None if nothing is seen."""
        server = self._read(mosquitto.SERVER)
        if not any(certificates.issued(ca, server) for ca in self._authorities()):
            return "server.pem was not signed by the authority in ca.crt"
        lines = {line.partition(":")[0]: line for line in self._read(mosquitto.PASSWORDS).decode().splitlines()}
        for name in (*self._gateways(), LOOK):
            if not fits(lines.get(name, ""), name, self.password(name)):
                return f"{name}{_ENDING} is not the password that Mosquitto knows"
        return None

    def password(self, name: str) -> str:
        """The password of a gateway, or of `look`."""
        return self._read(name + _ENDING).decode("ascii", "replace").strip()

    def ca(self) -> bytes:
        """What boards are to trust, in PEM: one certificate, or two while the authority is being changed."""
        return self._read(CA)

    def reload(self) -> Told:
        """Let Mosquitto read its files again. It ends the connections of those whose password no longer holds."""
        try:
            pid = int((self.path / mosquitto.PID).read_text(encoding="ascii"))
            if pid <= 1 or not _listens(pid):
                return Told.NOT_RUNNING
            os.kill(pid, signal.SIGHUP)
        except PermissionError:
            return Told.NOT_ALLOWED
        except (OSError, ValueError):
            return Told.NOT_RUNNING
        return Told.YES

    def _gateways(self) -> list[str]:
        names = (file.name.removesuffix(_ENDING) for file in self.path.glob(f"*{_ENDING}"))
        return sorted(name for name in names if name != LOOK)

    def _write_passwords(self, devices: Mapping[str, str]) -> bool:
        wanted = dict(devices) | {name: self.password(name) for name in (*self._gateways(), LOOK)}
        before = self._read(mosquitto.PASSWORDS).decode() if self._has(mosquitto.PASSWORDS) else ""
        after = password_file(before, wanted)
        if after != before:
            self._write(mosquitto.PASSWORDS, after.encode())
        return after != before

    def _make_server(self, hosts: Sequence[str], now: datetime) -> None:
        ca = Pair(self._authorities()[0], self._read(CA_KEY))
        if not certificates.belongs(ca):
            raise BrokerFolderError(f"{self.path / CA_KEY} is not the key of {CA}: `rotate-ca --finish` was cut off.")
        server = certificates.make_server(ca, hosts, now)
        self._write(mosquitto.SERVER, server.certificate + server.key)

    def _authorities(self) -> list[bytes]:
        found = _CERTIFICATE.findall(self._read(CA))
        if not found:
            raise CertificateError(f"{self.path / CA} holds no certificate.")
        return [bytes(one) for one in found]

    def _next_ca(self) -> Pair | None:
        if not self._has(NEXT_CA_KEY):
            return None
        pair = Pair(self._authorities()[-1], self._read(NEXT_CA_KEY))
        return pair if certificates.belongs(pair) else None  # else making it was cut off

    def _has(self, name: str) -> bool:
        return (self.path / name).exists()

    def _read(self, name: str) -> bytes:
        try:
            return (self.path / name).read_bytes()
        except OSError as why:
            raise BrokerFolderError(
                f"{self.path / name}: {why.strerror}. `hearthgate broker setup` makes what is missing."
            ) from why

    def _write(self, name: str, data: bytes) -> None:
        """Replace a file in one step: Mosquitto may read it at any moment."""
        path, beside = self.path / name, self.path / f".{name}.new"
        try:
            beside.unlink(missing_ok=True)
            file = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            try:
                if os.geteuid() == 0:  # the broker runs as the folder's owner
                    owner = self.path.stat()
                    os.fchown(file, owner.st_uid, owner.st_gid)
                with os.fdopen(os.dup(file), "wb") as stream:
                    stream.write(data)
                os.fsync(file)
            finally:
                os.close(file)
            beside.replace(path)
        except OSError as why:
            with suppress(OSError):
                beside.unlink(missing_ok=True)
            raise BrokerFolderError(f"{path}: {why.strerror}. Check the folder's owner and free space.") from why

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """One process at a time: what is written is made from what was read."""
        try:
            folder = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY)
        except OSError as why:
            raise BrokerFolderError(f"{self.path}: {why.strerror}. `hearthgate broker setup` makes it.") from why
        try:
            fcntl.flock(folder, fcntl.LOCK_EX)
            yield
        finally:
            os.close(folder)


def _listens(pid: int) -> bool:
    """Whether a process is a Mosquitto that takes SIGHUP. The pid file of one that was killed may name any process, and
    one that starts just now would be ended by the signal. Raises OSError or ValueError."""
    process = Path(f"/proc/{pid}")
    if not Path("/proc/self/status").exists():  # not Linux
        return True
    if (process / "comm").read_text(encoding="ascii").strip() != "mosquitto":
        return False
    deadline = time.monotonic() + _START_S
    while time.monotonic() < deadline:
        caught = re.search(r"^SigCgt:\s*([0-9a-f]+)$", (process / "status").read_text(encoding="utf-8"), re.MULTILINE)
        if caught is None or int(caught[1], 16) >> (signal.SIGHUP - 1) & 1:
            return True
        time.sleep(0.02)
    return False
