"""The kettle itself: heat, water and steam. Integers only: see sim_sensors.py.

Lumps: the heating plate, and the water together with the steel around it. Heat capacities are mJ/K,
conductances mW/K, so ndeg a second is (mW/K * ndeg + mW * 1e9) // capacity. README.md says where each number
is from.
"""

from sim_sensors import NDEG, const

_RATED_MW = const(2_200_000)  # at 230 V
_NOMINAL_CV = const(23_000)

_WATER_MG = const(4_186)  # uJ/(mg K)
_STEEL = const(450_000)  # 0.9 kg
_PLATE = const(200_000)
_PLATE_WET = const(100_000)
_PLATE_DRY = const(5_000)
COVER_MG = const(100_000)  # less water than this no longer covers the plate
_LOSS = const(700)  # to the room, through steel and plastic
_STEAM_UJ_MG = const(2_257_000)  # latent heat at 100 C, 2257 kJ/kg
_SPOUT_UG_S = const(8)  # ug/s lost for each g/m3 of vapour: 0.005 m/s through 15 cm2

# Density of saturated vapour, g/m3, at 0, 10, ... 100 C.
VAPOUR = (5, 9, 17, 30, 51, 83, 130, 198, 293, 423, 598)

ROOM_NDEG = const(21_000_000_000)
_TAP_NDEG = const(12_000_000_000)
_BOIL_NDEG = const(100_000_000_000)
_BOIL_NDEG_M = const(3_400_000)  # lower by this for each metre above the sea

_PROBE_S = const(3)
_CELL_S = const(1_200)


class Kettle:
    """Temperatures in ndeg. `heater` closes the relay; current flows only while it stands on its `base`.
    `flow` is water coming in, or going out if negative, in mg/s; `steam_mg` is all that went as vapour."""

    def __init__(self, altitude_m=0):
        self.heater = 0
        self.base = 1
        self.flow = 0
        self.mass_mg = 800_000
        self.water = self.plate = self.probe = self.cell = 18 * NDEG
        self.boiling = _BOIL_NDEG - altitude_m * _BOIL_NDEG_M
        self.power_mw = 0
        self.steam_mg = 0
        self._spare = 0  # energy not yet a whole mg of steam, uJ
        self._vapour = 0  # vapour not yet a whole mg, ug

    def run(self, from_s, n, mains):
        """Integrate `n` seconds from `from_s`, on the voltage of `mains`."""
        water, plate, probe, cell, mass = self.water, self.plate, self.probe, self.cell, self.mass_mg
        flow, boiling, vapour = self.flow, self.boiling, self._vapour
        live = self.heater and self.base
        power = 0
        for t in range(from_s, from_s + n):
            if flow > 0:
                heat = mass * _WATER_MG // 1000 + _STEEL
                water += (_TAP_NDEG - water) * (flow * _WATER_MG // 1000) // (heat + flow * _WATER_MG // 1000)
                mass += flow
            elif flow:
                mass = max(0, mass + flow)
            if live:
                cv = mains.mv(t) // 10
                power = _RATED_MW * cv // _NOMINAL_CV * cv // _NOMINAL_CV
            wet = _PLATE_DRY + (_PLATE_WET - _PLATE_DRY) * min(mass, COVER_MG) // COVER_MG
            up = (plate - water) * wet
            plate += (power * 1_000_000_000 - up) // _PLATE
            heat = mass * _WATER_MG // 1000 + _STEEL
            out = (water - ROOM_NDEG) * _LOSS
            if mass and water > 0:
                i = min(water // (10 * NDEG), 9)
                dense = VAPOUR[i] + (VAPOUR[i + 1] - VAPOUR[i]) * (water - i * 10 * NDEG) // (10 * NDEG)
                vapour += dense * _SPOUT_UG_S
                out += dense * _SPOUT_UG_S * _STEAM_UJ_MG * 1_000
                gone = min(vapour // 1000, mass)
                vapour %= 1000
                mass -= gone
                self.steam_mg += gone
            water += (up - out) // heat
            if water > boiling and mass:
                spare = (water - boiling) * heat // 1_000_000 + self._spare
                gone = min(spare // _STEAM_UJ_MG, mass)
                self._spare = spare - gone * _STEAM_UJ_MG if gone < mass else 0
                mass -= gone
                self.steam_mg += gone
                water = boiling
            probe += (water - probe) // _PROBE_S
            cell += ((ROOM_NDEG * 4 + water) // 5 - cell) // _CELL_S
        self.water, self.plate, self.probe, self.cell, self.mass_mg = water, plate, probe, cell, mass
        self._vapour, self.power_mw = vapour, power
