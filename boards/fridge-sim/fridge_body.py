"""The fridge-freezer itself: heat, cold and the compressor. Integers only: see sim_sensors.py.

Lumps: air, walls with shelves, food, evaporator plate of the fridge; plate and contents of the freezer. One
compressor cools both plates; its thermostat feels the air of the fridge. Heat capacities are mJ/K,
conductances mW/K: flow [mW/K * ndeg + mW * 1e9] // capacity is ndeg a second. README.md says where each
number is from.
"""

from sim_sensors import DAY_S, NDEG, const

_AIR = const(1_500_000)  # 0.3 kg of air and the skin of what stands in it
_WALL = const(12_000_000)  # liner, glass shelves, drawers
_FOOD_BASE = const(27_000_000)  # 8 kg in the door and drawers, not weighed
_FOOD_G = const(3_400)  # each weighed gram
_PLATE = const(2_500_000)
_ICE_PLATE = const(3_000_000)
_FREEZER = const(30_000_000)  # 13 kg of frozen food and its compartment

_AIR_WALL = const(14_000)
_AIR_FOOD = const(4_000)
_AIR_PLATE = const(6_000)
_WALL_AMBIENT = const(1_250)
_WALL_FREEZER = const(250)
_FREEZER_PLATE = const(8_000)
_FREEZER_AMBIENT = const(500)
_LAMP_MW = const(15_000)

_ON_NDEG = const(5_600_000_000)  # thermostat
_OFF_NDEG = const(3_200_000_000)
_MIN_OFF_S = const(240)  # pressures even out before the next start

_STEADY_MW = const(95_000)  # with ambient and evaporator at 0 C
_AMBIENT_MW_K = const(500)  # more pressure to work against
_EVAPORATOR_MW_K = const(1_000)  # denser vapour to pump
_SURGE_MW = const(600_000)  # mean of the first second
_PULL_MW = const(20_000)  # cold oil, liquid in the suction line
_PULL_S = const(150)
_CONDENSER_MK = const(14_000)  # above ambient
_OF_CARNOT = const(42)  # per cent
_BOIL_FRIDGE = const(1_700)  # plate to refrigerant, which boils in both plates at one temperature
_BOIL_ICE = const(14_000)

_AMBIENT_NDEG = const(21_500_000_000)
_SWING_NDEG = const(2_000_000_000)
_WARMEST_S = const(57_600)  # 16:00

_PROBE_S = const(30)

OPEN = const(15_000)  # gap: air exchange through the open door, about 12 l/s
AJAR = const(5_000)


def ambient(time_of_day_s):
    """The kitchen's temperature: for each half-day a parabola, which is a sine to 6 %."""
    x = (time_of_day_s - _WARMEST_S) % DAY_S * 4 // 864  # 0..399, 0 = warmest
    x = (x + 100) % 400
    half = x % 200
    y = half * (200 - half)  # 0..10000
    return _AMBIENT_NDEG + _SWING_NDEG // 10_000 * (y if x < 200 else -y)


class Cabinet:
    """Temperatures in ndeg; `door` 0 or 1 lights the lamp, `gap` is the air exchange through it (mW/K)."""

    def __init__(self, time_s):
        self.door = 0
        self.gap = 0
        self.air = self.wall = self.food = self.probe = 4_800 * 1_000_000
        self.plate = 2 * NDEG
        self.ice_plate = -21 * NDEG
        self.freezer = self.freezer_probe = -19 * NDEG
        self.ambient = ambient(time_s % DAY_S)
        self.on = False
        self.power_mw = 0
        self._off_s = _MIN_OFF_S
        self._surge = self._pull = 0

    def run(self, from_s, n, food_g):
        """Integrate `n` seconds from `from_s` (0 = a midnight), with `food_g` grams on the shelves."""
        air, wall, food, plate, probe = self.air, self.wall, self.food, self.plate, self.probe
        ice_plate, freezer, freezer_probe = self.ice_plate, self.freezer, self.freezer_probe
        on, off_s, surge, pull, power = self.on, self._off_s, self._surge, self._pull, self.power_mw
        warm = self.ambient
        food_mj = _FOOD_BASE + _FOOD_G * food_g
        gap = self.gap
        lamp_mw = _LAMP_MW * self.door
        for t in range(from_s, from_s + n):
            if t % 60 == 0:
                warm = ambient(t % DAY_S)
            cold_fridge = cold_ice = 0
            if on:
                on = probe > _OFF_NDEG
                off_s = 0
            else:
                off_s += 1
                if probe > _ON_NDEG and off_s > _MIN_OFF_S:
                    on = True
                    surge, pull = _SURGE_MW, _PULL_MW
            power = lamp_mw
            if on:
                hot_mc = warm // 1_000_000 + _CONDENSER_MK
                cold_mc = ice_plate // 1_000_000
                steady = (warm // 1_000_000 * _AMBIENT_MW_K + cold_mc * _EVAPORATOR_MW_K) // 1000
                steady += _STEADY_MW
                power += steady + surge + pull
                surge //= 2
                pull -= pull // _PULL_S
                cooling = steady * (273_150 + cold_mc) // (hot_mc - cold_mc) * _OF_CARNOT * 10_000_000
                boil = (plate * _BOIL_FRIDGE + ice_plate * _BOIL_ICE - cooling) // (_BOIL_FRIDGE + _BOIL_ICE)
                cold_fridge = (plate - boil) * _BOIL_FRIDGE
                cold_ice = cooling - cold_fridge
            to_wall = (air - wall) * _AIR_WALL
            to_food = (air - food) * _AIR_FOOD
            to_plate = (air - plate) * _AIR_PLATE
            to_ice = (freezer - ice_plate) * _FREEZER_PLATE
            through = (wall - freezer) * _WALL_FREEZER
            air += ((warm - air) * gap + lamp_mw * 1_000_000_000 - to_wall - to_food - to_plate) // _AIR
            wall += (to_wall + (warm - wall) * _WALL_AMBIENT - through) // _WALL
            food += to_food // food_mj
            plate += (to_plate - cold_fridge) // _PLATE
            ice_plate += (to_ice - cold_ice) // _ICE_PLATE
            freezer += ((warm - freezer) * _FREEZER_AMBIENT + through - to_ice) // _FREEZER
            probe += (air - probe) // _PROBE_S
            freezer_probe += (freezer - freezer_probe) // _PROBE_S
        self.air, self.wall, self.food, self.plate, self.probe = air, wall, food, plate, probe
        self.ice_plate, self.freezer, self.freezer_probe = ice_plate, freezer, freezer_probe
        self.on, self._off_s, self._surge, self._pull, self.power_mw = on, off_s, surge, pull, power
        self.ambient = warm

    def lay_in(self, grams, ndeg, food_g):
        """Mix `grams` at `ndeg` with the food, of which `food_g` stands on the shelves."""
        food_mj = _FOOD_BASE + _FOOD_G * (food_g + grams)
        self.food += (ndeg - self.food) * _FOOD_G * grams // food_mj
