"""The table `serial` of board.json, checked: only boards on a cable have this, and need it once."""

from config import _number, _text, _wrong


def host(mqtt, table):
    """Makes the other end of the cable a broker: the Mqtt `mqtt`, whose `host` is the table. Raises ConfigError."""
    mqtt.host = table
    mqtt.port = mqtt.keepalive_s = 0
    mqtt.user = mqtt.password = mqtt.tls = None
    numbers = ("board.json: serial.uart", "board.json: serial.tx", "board.json: serial.rx")
    ways = (numbers[0], "board.json: serial.usb", "board.json: serial.path")
    if not any(key.split(".")[-1] in table for key in ways):
        raise _wrong("board.json: serial", 'an object with "uart": its number, or "usb": true')
    for key in numbers:
        _number(table, key, 0, 63, 0)
    _number(table, "board.json: serial.baud", 1200, 4000000, 115200)
    _text(table, "board.json: serial.path", optional=True)
    return mqtt
