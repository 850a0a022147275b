"""Network time on an emulated chip: that of the machine it runs on, once the radio has joined."""

import network

host = "pool.ntp.org"


def settime():
    """The machine's clock is right already."""
    if not network.WLAN(network.STA_IF).isconnected():
        raise OSError(-202)  # what an ESP32's getaddrinfo says without a network
