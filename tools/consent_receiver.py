"""A recipient's server that counts every byte that reaches this machine's socket, and reads as slowly as it is told.

Blocking sockets in threads, and TLS over memory: so what is counted is what the network brought, read or not.
"""

from __future__ import annotations

import datetime as dt
import fcntl
import ipaddress
import re
import select
import socket
import ssl
import struct
import termios
import threading
import time
from contextlib import suppress
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

__all__ = ["Receiver", "own_certificate"]

_SMALL_BYTES = 4096  # so little is taken from the network until it is read
_THINKS_S = 0.03
_ANSWER = b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n"
_LENGTH = re.compile(rb"(?i)\r\ncontent-length: *(\d+)")


class Receiver:
    """Takes POSTs on a loopback port and answers 202. `pause_s`: how long it waits between two reads, of 512 bytes
    then; without one it reads all there is, and takes a moment to answer."""

    def __init__(self, *, tls: ssl.SSLContext | None = None, pause_s: float = 0.0) -> None:
        self._tls = tls
        self._pause_s = pause_s
        self.slow = pause_s > 0
        self._lock = threading.Lock()
        self._read = 0
        self._open: set[socket.socket] = set()
        self._listener = socket.socket()
        if pause_s:
            self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _SMALL_BYTES)
        self._listener.bind(("127.0.0.1", 0))
        self._listener.listen(16)
        self._listener.setblocking(False)  # noqa: FBT003 - its name
        self.port: int = self._listener.getsockname()[1]
        self.requests = 0
        threading.Thread(target=self._listen, daemon=True).start()

    def arrived(self) -> int:
        """Bytes that reached this machine up to this moment: those that were read, and those that wait to be."""
        with self._lock:
            self._accept()
            waiting = 0
            for it in self._open:
                (n,) = struct.unpack("i", fcntl.ioctl(it.fileno(), termios.FIONREAD, b"\0" * 4))
                waiting += n
            return self._read + waiting

    def quiet(self) -> bool:
        """Whether no connection is open: whatever was to come on one has come."""
        with self._lock:
            return not self._open

    def close(self) -> None:
        """Take no more."""
        self._listener.close()

    def _listen(self) -> None:
        with suppress(OSError, ValueError):
            while True:
                select.select([self._listener], [], [])
                with self._lock:
                    self._accept()

    def _accept(self) -> None:
        with suppress(BlockingIOError):
            while True:
                it, _ = self._listener.accept()
                it.setblocking(True)  # noqa: FBT003 - its name
                self._open.add(it)
                threading.Thread(target=self._serve, args=(it,), daemon=True).start()

    def _serve(self, it: socket.socket) -> None:
        talk = _Talk(self._tls)
        with suppress(OSError, ssl.SSLError):
            while True:
                # It is waited for outside of the lock, and taken and counted within: `arrived` sees it in one place.
                if not it.recv(1, socket.MSG_PEEK):
                    break
                with self._lock:
                    data = it.recv(512 if self._pause_s else 1_048_576)
                    self._read += len(data)
                if answers := talk.heard(data):
                    time.sleep(0 if self.slow else _THINKS_S)
                    it.sendall(answers)
                self.requests += talk.requests
                talk.requests = 0
                time.sleep(self._pause_s)
        with self._lock:
            self._open.discard(it)
            it.close()


class _Talk:
    """One connection's requests, as far as their end can be told; of TLS too."""

    def __init__(self, tls: ssl.SSLContext | None) -> None:
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._ssl = tls.wrap_bio(self._in, self._out, server_side=True) if tls else None
        self._shaken = False
        self._data = b""
        self.requests = 0

    def heard(self, data: bytes) -> bytes:
        """The bytes to answer with."""
        if self._ssl is None:
            return self._plain(data)
        self._in.write(data)
        with suppress(ssl.SSLWantReadError):
            if not self._shaken:
                self._ssl.do_handshake()
                self._shaken = True
            while plain := self._ssl.read(65_536):
                if answers := self._plain(plain):
                    self._ssl.write(answers)
        return self._out.read()

    def _plain(self, data: bytes) -> bytes:
        self._data += data
        head, end, rest = self._data.partition(b"\r\n\r\n")
        length = _LENGTH.search(head)
        if not end or len(rest) < (int(length[1]) if length else 0):
            return b""
        self._data = rest[int(length[1]) if length else 0 :]
        self.requests += 1
        return _ANSWER


def own_certificate(folder: Path) -> tuple[Path, Path]:
    """(certificate, key): PEM files of a server on 127.0.0.1 that vouches for itself, for an hour."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(minutes=5))
        .not_valid_after(now + dt.timedelta(hours=6))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    paths = folder / "own.pem", folder / "own.key"
    paths[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    paths[1].write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return paths
