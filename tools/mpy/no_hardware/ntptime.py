"""A time server that does not answer."""

host = ""


def time():
    raise OSError(110)
