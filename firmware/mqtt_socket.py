"""One TCP or TLS socket that carries whole MQTT packets, bounded in size and in patience."""

import asyncio
import errno
import socket
import sys
from time import ticks_diff, ticks_ms

from micropython import const
from mqtt_packet import Disconnected, Malformed

_SMALL = const(128)  # packets up to this share one buffer: acks, commands and PUBACKs all fit
_WRITE_PAUSE_MS = const(10)  # between tries while the send buffer is full


class PacketSocket:
    """open(), then read() in one task and write() from any; close() in any state, then open() again.

    tls: None or {"ca": path to a PEM or DER file, "server_hostname": name in the certificate}.
    stall_ms: how long the peer may take no bytes. on_broken(error): a write failed or was cut short.
    heard_ms, told_ms: ticks_ms of the last byte in and the last packet out.
    """

    def __init__(self, host, port, tls, max_packet, stall_ms, on_broken):
        self.heard_ms = self.told_ms = ticks_ms()
        self.body = self._small = memoryview(bytearray(_SMALL))
        self._head = memoryview(bytearray(2))
        self._host, self._port = host, port
        self._tls, self._context, self._addresses = tls, None, None
        self._max_packet, self._stall_ms, self._on_broken = max_packet, stall_ms, on_broken
        self._lock = asyncio.Lock()
        self._raw = self._sock = self._stream = None

    async def open(self, failures, hello):
        """Connect and write `hello`. failures: how many attempts failed before this one.

        Raises OSError, or ValueError when the peer's certificate is not good; the caller then calls close().
        """
        # Not asyncio.open_connection: it asks the name server each time, which blocks the loop, and when it
        # fails or is cancelled nobody holds its socket to close it (the unix port never collects one).
        address = self._address(failures)
        self._raw = self._sock = sock = socket.socket(address[0], address[1], address[2])
        sock.setblocking(False)
        try:
            sock.connect(address[-1])
        except OSError as error:
            if error.errno != errno.EINPROGRESS:
                raise
        if self._tls:
            self._sock = sock = self._wrap(sock)
        self._stream = asyncio.StreamReader(sock)
        self._stream.out_buf = hello  # drain() writes it once the socket is writable, and so connected
        await self._stream.drain()
        self.heard_ms = self.told_ms = ticks_ms()

    def _address(self, failures):
        # getaddrinfo blocks the loop: asked at first and after every fourth failure; when it fails its last
        # answer is kept. Several answers (IPv6, then IPv4) are tried in turn.
        if self._addresses is None or failures & 3 == 3:
            try:
                self._addresses = socket.getaddrinfo(self._host, self._port, 0, socket.SOCK_STREAM)
            except OSError:
                if self._addresses is None:
                    raise Disconnected("no address for %s: check mqtt.host, the network" % self._host)
        return self._addresses[failures % len(self._addresses)]

    def _wrap(self, sock):
        if self._context is None:
            from mqtt_tls import tls

            del sys.modules["mqtt_tls"]
            self._context = tls(self._tls["ca"])
        name = self._tls.get("server_hostname") or self._host
        return self._context.wrap_socket(sock, server_hostname=name, do_handshake_on_connect=False)

    async def read(self):
        """Read one packet: returns its first byte; the rest is in `body` until the next read.

        Raises Malformed before a byte past max_packet is stored, Disconnected at the stream's end, OSError.
        """
        head = self._head
        await self._fill(head)
        first, length, shift = head[0], head[1] & 0x7F, 7
        while head[1] & 0x80:  # the remaining length: seven bits a byte, four bytes at most [2.2.3]
            if shift > 21:
                raise Malformed("the remaining length has more than four bytes")
            await self._fill(head[1:])
            length |= (head[1] & 0x7F) << shift
            shift += 7
        if length > self._max_packet:
            raise Malformed("a packet of %d bytes, over %d" % (length, self._max_packet))
        self.body = self._small[:length] if length <= _SMALL else memoryview(bytearray(length))
        await self._fill(self.body)
        return first

    async def _fill(self, view):
        have = 0
        while have < len(view):
            count = await self._stream.readinto(view[have:] if have else view)
            if count == 0:
                raise Disconnected("the broker closed the connection")
            if count:
                have += count
                self.heard_ms = ticks_ms()

    async def write(self, data):
        """Write one whole packet. Raises Disconnected.

        Failing or cancelled midway it ends the connection, for half a packet would garble all that follow.
        """
        sock = self._sock
        async with self._lock:
            began = ticks_ms()
            left = data
            try:
                while True:
                    if sock is None or sock is not self._sock:
                        raise Disconnected("not connected")
                    count = sock.write(left)
                    if count == len(left):
                        break
                    if count:
                        left = memoryview(left)[count:]
                    if ticks_diff(ticks_ms(), began) > self._stall_ms:
                        raise Disconnected("the broker takes no bytes")
                    # Sleep, not poll: who polls must not outlive the socket, and this task is the caller's.
                    await asyncio.sleep_ms(_WRITE_PAUSE_MS)
            except BaseException as error:
                ours = isinstance(error, Exception)
                if sock is not None and sock is self._sock:
                    self._on_broken(error if ours else Disconnected("a write was cancelled"))
                if ours and not isinstance(error, Disconnected):
                    raise Disconnected(str(error))
                raise
            self.told_ms = ticks_ms()

    def close(self):
        """Close what is open. The tasks that read from it must have been cancelled before."""
        for sock in (self._sock, self._raw):  # TLS closes the raw socket too, unless its handshake failed
            if sock:
                sock.close()
        self._raw = self._sock = self._stream = None
