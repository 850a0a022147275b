"""A network that nobody answers on: what a board needs to run where there is none."""

SOCK_STREAM = 1


def getaddrinfo(host, port, *_):
    raise OSError(-2)
