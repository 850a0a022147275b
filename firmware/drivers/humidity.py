"""The second channel of a thermometer that is a hygrometer too."""


class Humidity:
    """`sample()` is the `humidity` that `sensor` measured together with its last temperature."""

    def __init__(self, sensor):
        self._sensor = sensor

    def sample(self):
        self._sensor.sample()
        return self._sensor.humidity
