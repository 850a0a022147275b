"""What the MQTT client needs rarely, and memory should not hold meanwhile: CONNECT, and why it is refused.
[x.y] is a section of OASIS MQTT Version 3.1.1.
"""

from mqtt_packet import packet, text

_REFUSALS = {
    1: "the broker does not speak MQTT 3.1.1: use a newer one",
    2: "the broker does not take this client id: give the board another",
    3: "the broker is not ready: it is tried again",
    4: "wrong user or password: check mqtt.user and mqtt.password in board.json",
    5: "this board is not allowed in: add its user to the broker's access list",
    0x80: "a subscription was denied: check the broker's access list",
}


def connect(client_id, user, keepalive_s, will, clean, failures):
    """CONNECT [3.1]. user: (name or None, password or None, or passwords to try in turn, by the failures so far);
    will: None or (topic, payload), retained."""
    flags = 0x02 if clean else 0
    parts = [text(client_id)]
    if will:
        flags |= 0x2C
        parts += [text(part) for part in will]
    if user[0] is not None:
        flags |= 0x80
        parts.append(text(user[0]))
        password = user[1]
        if isinstance(password, list):
            password = password[failures % len(password)]
        if password is not None:
            flags |= 0x40
            parts.append(text(password))
    fixed = b"\x00\x04MQTT\x04" + bytes((flags, keepalive_s >> 8, keepalive_s & 0xFF))
    return packet(0x10, fixed + b"".join(parts))


def refusal(code):
    """What to do about that code of a CONNACK [3.2.2.3], or the 0x80 of a SUBACK."""
    return _REFUSALS.get(code, "refused with a code that MQTT 3.1.1 does not know: is this an MQTT broker?")
