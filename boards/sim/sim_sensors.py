"""Sensor models of the emulated boards: what a data sheet says a part makes of the truth.

Integers only, so that a seed gives the same readings under CPython and MicroPython to the last bit, and
nothing is allocated in a step. Temperatures are nano-degrees Celsius (`ndeg`), powers milliwatts, masses
milligrams. Noise is a function of (seed, second): reading twice, or not at all, changes nothing.

Sources. [1] DS18B20, Maxim 19-7487. [2] HX711, Avia Semiconductor. [3] PZEM-004T v3.0 manual, section 1.
[4] A load cell of the usual 0.05 % class, such as Seeed's single-point cells. [5] EN 50160, public networks.
"""

try:
    from micropython import const
except ImportError:  # CPython

    def const(value):  # type: ignore[misc]
        return value


_M32 = const(0xFFFFFFFF)

GAUSS_SD = const(148)  # of gauss(): sqrt(4 * (256**2 - 1) / 12)

NDEG = const(1_000_000_000)  # of one degree
DAY_S = const(86_400)

# [1] +-0.5 C from -10 to +85 C, here anywhere, and static for one part; 1/16 C; range -55 to +125 C.
_OFFSET_MDEG = const(500)
_COLDEST = const(-55 * 1_000_000_000)
_HOTTEST = const(125 * 1_000_000_000)
# [1] gives no noise figure; an assumption: 0.2 of the step of 62.5 mK.
_NOISE_NDEG = const(12_500_000)

# [2] input noise 50 nV rms at gain 128 and 10 samples a second. The cell gives 1 mV/V * 4.3 V = 4.3 mV at
# 5 kg, so 0.86 uV a gram: 58 mg rms. One ADC step, 0.5 * 4.3 V / 128 / 2**23 = 2 nV = 2.3 mg, is lost in it.
_NOISE_MG = const(58)
# [4] temperature effect on zero, and on span: up to 0.05 % of full scale in 10 C: 250 mg/C and 50 ppm/C.
_ZERO_MG_C = const(250)
_SPAN_PPM_C = const(50)

# [3] active power: accuracy 0.5 %, resolution 0.1 W, starts to measure at 0.4 W.
_GAIN_PPM = const(5_000)
_START_DW = const(4)

# Assumption, well inside the +-10 % of [5]: what neighbours' and one's own loads do to the voltage.
_NOMINAL_MV = const(230_000)
_SLOW_MV = const(1_200)  # rms, over ten minutes
_SLOW_S = const(600)
_QUICK_MV = const(300)  # rms, over twenty seconds
_QUICK_S = const(20)
_JITTER_MV = const(100)  # rms, from one second to the next


def mix32(x):
    """A 32-bit number, well mixed from another. Products stay under 2**59, a small int of 64-bit ports."""
    x = ((x >> 16) ^ x) * 0x45D9F3B & _M32
    x = ((x >> 16) ^ x) * 0x45D9F3B & _M32
    return (x >> 16) ^ x


def part(seed, k):
    """The seed of the k-th part of a household."""
    return mix32((seed * 0x9E3779B1 + k * 0x85EBCA6B + 1) & _M32)


def spread(seed, limit):
    """A fixed property of one part: uniform in -limit..limit."""
    return mix32(seed ^ 0x5BD1E995) % (2 * limit + 1) - limit


def gauss(seed, t):
    """Near-normal noise at `t` (an integer): mean 0, standard deviation GAUSS_SD, never beyond 3.45 of it."""
    h = mix32((seed + t * 0x9E3779B1) & _M32)
    return (h & 255) + (h >> 8 & 255) + (h >> 16 & 255) + (h >> 24) - 510


def wander(seed, t, period):
    """gauss() drawn anew every `period`, and straight lines between."""
    i = t // period
    r = t - i * period
    return (gauss(seed, i) * (period - r) + gauss(seed, i + 1) * r) // period


class Ds18b20:
    """A thermometer. A conversion (750 ms) starts each second; a reading is that of the last whole second."""

    def __init__(self, seed):
        self._seed = seed
        self.offset_ndeg = spread(seed, _OFFSET_MDEG) * 1_000_000

    def read(self, ndeg, t_s):
        """Sixteenths of a degree for a probe at `ndeg`."""
        v = ndeg + self.offset_ndeg + gauss(self._seed, t_s) * _NOISE_NDEG // GAUSS_SD
        v = min(max(v, _COLDEST), _HOTTEST)
        return (v * 16 + 500_000_000) // 1_000_000_000


class LoadCell:
    """An HX711 on a 5 kg cell of 1 mV/V, tared at `tare_ndeg`."""

    def __init__(self, seed, tare_ndeg):
        self._seed = seed
        self._tare_ndeg = tare_ndeg
        self.zero_mg_c = spread(seed, _ZERO_MG_C)
        self.span_ppm_c = spread(seed + 1, _SPAN_PPM_C)

    def read(self, mg, cell_ndeg, t_s):
        """Grams for a load of `mg` with the cell at `cell_ndeg`."""
        warm_mdeg = (cell_ndeg - self._tare_ndeg) // 1_000_000
        v = mg + self.zero_mg_c * warm_mdeg // 1000
        v += mg // 1000 * self.span_ppm_c * warm_mdeg // 1_000_000
        v += gauss(self._seed, t_s) * _NOISE_MG // GAUSS_SD
        return (v + 500) // 1000


class PowerMeter:
    """A PZEM-004T of the 100 A kind (the 10 A kind ends at 2.3 kW)."""

    def __init__(self, seed):
        self.gain_ppm = spread(seed, _GAIN_PPM)

    def read(self, mw):
        """Watts for `mw`, through the meter's own steps of 0.1 W."""
        dw = (mw + mw * self.gain_ppm // 1_000_000 + 50) // 100
        return (dw + 5) // 10 if dw >= _START_DW else 0


class Mains:
    """The voltage at the socket."""

    def __init__(self, seed):
        self._seed = seed

    def mv(self, t_s):
        """Millivolts rms during second `t_s`."""
        s = self._seed
        w = wander(s, t_s, _SLOW_S) * _SLOW_MV + wander(s ^ 1, t_s, _QUICK_S) * _QUICK_MV
        return _NOMINAL_MV + (w + gauss(s ^ 2, t_s) * _JITTER_MV) // GAUSS_SD
