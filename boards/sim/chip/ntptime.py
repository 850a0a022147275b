"""Network time on an emulated chip: that of the machine it runs on, once the radio has joined."""

import time as _time

import network

host = "pool.ntp.org"


def time():
    if not network.WLAN(network.STA_IF).isconnected():
        raise OSError(-202)  # what an ESP32's getaddrinfo says without a network
    return int(_time.time())
