"""The TLS context of the MQTT client. Loaded only where the broker is spoken to over TLS, and dropped again."""

import binascii
import ssl
import sys
import time

import machine


def tls(path):
    """A context that trusts the certificate authority that came with this slot, else that in the file (PEM or DER), and
    nobody else. A machine's clock that nobody has set stands before the day it was made, when no certificate would
    hold: it is set to that day."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.verify_mode = ssl.CERT_REQUIRED  # type: ignore[attr-defined]
    try:
        # A module that only slots have (gateway/flash/contents.py): a new authority proves itself as new firmware does.
        from ca import data  # type: ignore[import-not-found]

        del sys.modules["ca"]
    except ImportError:
        with open(path, "rb") as file:
            data = file.read()
    parts = data.split(b"-----BEGIN CERTIFICATE-----")
    if len(parts) > 1:  # PEM: not every port's mbedTLS parses it
        parts = [binascii.a2b_base64(part[: part.find(b"-----END")]) for part in parts[1:]]
    for part in parts:
        context.load_verify_locations(cadata=part)
        begin = _read(part)
        if hasattr(machine, "RTC") and begin > tuple(time.gmtime()[:6]):
            machine.RTC().datetime(begin[:3] + (0,) + begin[3:] + (0,))
    return context


def _read(data):
    """From when on it holds (notBefore, RFC 5280 4.1.2.5): year, month, day, hour, minute, second; or nothing, if that
    is not found."""
    at = data.find(b"\x17\x0d")
    while at >= 0:
        text = data[at + 2 : at + 14]
        if data[at + 14 : at + 15] == b"Z" and text.isdigit():
            return (2000 + int(text[:2]),) + tuple([int(text[i : i + 2]) for i in range(2, 12, 2)])
        at = data.find(b"\x17\x0d", at + 1)
    return ()
