"""What a board reads from outside, each as a function of bytes. The same files run under CPython, where it is fuzzed,
and on MicroPython, where the kept inputs are read again.

A function returns what it made of the input as one line of text, the same on both; ValueError means: refused.
"""

from board_files import config, counter, segments
from board_link import DEVICE, KEY, ack, command, finish, to_hex


def parser(name, load):
    """The function of this name, over the firmware's modules; `load` imports one by its name."""
    return _PARSERS[name](load)


def _mac(load):
    mac = load("mac").Mac0(KEY)

    def read(data):
        return to_hex(mac.open(b"up", data))

    return read


def _cbor(load):
    cbor = load("cbor")

    def read(data):
        # Written again: a value as one text that both interpreters agree on.
        return to_hex(cbor.dumps(cbor.loads(data)))

    return read


class _Stream:
    """Gives what it holds in pieces, then its end."""

    def __init__(self, data):
        self._data = data
        self._at = 0
        self._size = 1

    async def readinto(self, view):
        self._size = self._size % 7 + 1
        piece = self._data[self._at : self._at + min(len(view), self._size * 3)]
        view[: len(piece)] = piece
        self._at += len(piece)
        return len(piece)


def _mqtt(load):
    packets, sockets, mqtt = load("mqtt_packet"), load("mqtt_socket"), load("mqtt")
    client = mqtt.Client("127.0.0.1", 1883, DEVICE)

    def receive(socket):
        packets.parse_connack(finish(socket.read()), socket.body)
        said = []
        client._flight = {1: [0x40, None, None], 2: [0x90, None, None]}
        while True:
            try:
                first = finish(socket.read())
                if first & 0xF0 == 0x30:
                    topic, packet_id, payload = packets.parse_publish(first, socket.body)
                    said.append("publish %s %s %s" % (to_hex(topic.encode()), to_hex(packet_id), to_hex(payload)))
                elif first in (0x40, 0x90):
                    client._settle(first, socket.body)
                    said.append("in flight %d" % len(client._flight))
                elif first != 0xD0 or len(socket.body):
                    raise packets.Malformed("a packet that is not for a client")
            except packets.Disconnected as why:
                said.append(str(why))
                return ", ".join(said)

    def read(data):
        socket = sockets.PacketSocket("127.0.0.1", 1883, None, 4096, 1000, None)
        socket._stream = _Stream(data)
        try:
            return receive(socket)
        except packets.Disconnected as why:
            raise ValueError(str(why))

    return read


_PARSERS = {
    "mac": _mac,
    "cbor": _cbor,
    "mqtt": _mqtt,
    "ack": ack,
    "command": command,
    "config": config,
    "counter": counter,
    "segments": segments,
}
