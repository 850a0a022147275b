"""A radio that finds no network."""

STA_IF = 0


class WLAN:
    def __init__(self, interface):
        pass

    def active(self, on=None):
        return True

    def isconnected(self):
        return False

    def connect(self, *_):
        pass

    def disconnect(self):
        pass

    def config(self, *_, **__):
        pass

    def status(self, *_):
        return 0
