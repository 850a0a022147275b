"""The radio of an emulated chip: it finds the one network of CHIP_WIFI (its name, a tab, its password), and the machine
that it runs on is at the other end."""

import os

STA_IF, AP_IF = 0, 1
STAT_IDLE, STAT_GOT_IP, STAT_NO_AP_FOUND, STAT_WRONG_PASSWORD = 1000, 1010, 201, 202


class WLAN:
    """As the ESP32's: however many are made, there is one radio."""

    _on = False
    _status = STAT_IDLE

    def __init__(self, interface):
        if interface != STA_IF:
            raise ValueError("this radio only joins")

    def active(self, on=None):
        if on is not None:
            WLAN._on = bool(on)
            WLAN._status = STAT_IDLE
        return WLAN._on

    def connect(self, ssid, password=None):
        if not WLAN._on:
            raise OSError("Wifi Not Started")
        there, known = os.getenv("CHIP_WIFI").split("\t")
        WLAN._status = STAT_NO_AP_FOUND if ssid != there else STAT_WRONG_PASSWORD if password != known else STAT_GOT_IP

    def disconnect(self):
        WLAN._status = STAT_IDLE

    def isconnected(self):
        return WLAN._status == STAT_GOT_IP

    def status(self):
        return WLAN._status

    def ifconfig(self):
        return "127.0.0.1", "255.0.0.0", "127.0.0.1", "127.0.0.1"
