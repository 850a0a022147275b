"""What the MQTT client needs rarely, and memory should not hold meanwhile: why a broker refuses, the TLS context."""

import binascii

_REFUSALS = {
    1: "the broker does not speak MQTT 3.1.1: use a newer one",
    2: "the broker does not take this client id: give the board another",
    3: "the broker is not ready: it is tried again",
    4: "wrong user or password: check mqtt.user and mqtt.password in board.json",
    5: "this board is not allowed in: add its user to the broker's access list",
    0x80: "a subscription was denied: check the broker's access list",
}


def refusal(code):
    """What to do about that code of a CONNACK [3.2.2.3], or the 0x80 of a SUBACK."""
    return _REFUSALS.get(code, "refused with a code that MQTT 3.1.1 does not know: is this an MQTT broker?")


def tls_context(path):
    """A context that trusts the certificate authority in the file (PEM or DER), and nobody else."""
    import ssl

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.verify_mode = ssl.CERT_REQUIRED
    with open(path, "rb") as file:
        data = file.read()
    parts = data.split(b"-----BEGIN CERTIFICATE-----")
    if len(parts) == 1:
        context.load_verify_locations(cadata=data)
    for part in parts[1:]:  # PEM: not every port's mbedTLS parses it
        context.load_verify_locations(cadata=binascii.a2b_base64(part[: part.find(b"-----END")]))
    return context
