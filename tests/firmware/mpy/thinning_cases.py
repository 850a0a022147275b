"""thinning.py, and when appliance.py makes use of it."""

from appliance import Appliance
from packing import Columns
from scripted import Clock, Config, Sealer, Sensor, diagnostics, run_until
from thinning import Thinned

CHANNELS = [
    ["t", "Cel", 1, 16, 0, "temperature", "t"],
    ["p", "W", 1, 1, 0, "energy", "p"],
    ["knock", "/", 1, 1, 3, "use", None],
]
MOST = (1 << 29) - 1


class Ramp:
    """Reads one more each time."""

    def __init__(self):
        self.value = -1

    def sample(self):
        self.value += 1
        return self.value


def made(channels=CHANNELS, drivers=None, **kwargs):
    clock = Clock()
    sealer = Sealer()
    config = Config(channels + diagnostics())
    for key, value in kwargs.items():
        setattr(config, key, value)
    appliance = Appliance(config, clock, drivers or {"t": Ramp(), "p": Sensor(5)}, sealer)
    appliance.tick()
    run_until(appliance, clock, 125000)
    appliance.seal()
    sealer.take()
    return appliance, clock, sealer


def folded(*columns):
    """Lows, means and highs of these columns."""
    rows = Columns(len(columns))
    for index in range(len(columns[0])):
        rows.add([column[index] for column in columns])
    thin = Thinned(len(columns), 3)
    thin._fold(Columns(len(columns)), 1)  # of no row: all are missing
    thin._fold(rows, 2)
    assert (rows.rows, thin.rows, thin.base_ms) == (0, 2, 1)
    cells = [thin.cells[column * 3 + 1] for column in range(3 * len(columns))]
    return [None if cell == 0x7FFFFFFF else cell - 0x20000000 for cell in cells]


def test_a_row_holds_lows_then_means_then_highs():
    assert folded((1, 2, 6), (-5, -5, -4)) == [1, -5, 3, -5, 6, -4]


def test_a_mean_is_a_whole_number_between_low_and_high():
    assert folded((1, 2)) == [1, 2, 2]
    assert folded((-1, -2)) == [-2, -1, -1]
    assert folded((7,)) == [7, 7, 7]
    assert folded((MOST, MOST, MOST - 1)) == [MOST - 1, MOST, MOST]
    assert folded((-MOST - 1, MOST)) == [-MOST - 1, 0, MOST]
    assert folded((-MOST - 1,) * 60) == [-MOST - 1] * 3
    assert folded((MOST,) * 60) == [MOST] * 3


def test_missing_values_do_not_count():
    assert folded((None, 3, None, 5), (None, None, None, None)) == [3, None, 4, None, 5, None]


def test_a_full_journal_makes_rows_of_ten_minutes_and_frames_of_two_hours():
    appliance, clock, sealer = made()
    sealer.fill = 74
    run_until(appliance, clock, 725000)
    (frame,) = sealer.take()
    assert (frame[1], len(frame[4]), len(frame)) == (130000, 60, 5)
    sealer.fill = 75
    start_ms = 730000
    assert appliance._thin is None, "and nothing is taken before it is needed"
    run_until(appliance, clock, start_ms + 7190000 - 1000)
    assert sealer.take() == []
    run_until(appliance, clock, start_ms + 7190000)
    (frame,) = sealer.take()
    assert frame[:4] == ("columns", start_ms, 1_700_000_000 + start_ms // 1000, 600000)
    assert frame[5] == 60
    assert len(frame[4]) == 12
    # The ramp's reading at the row's first slot is the slot's number.
    first = start_ms // 10000
    for index, row in enumerate(frame[4]):
        low = first + 60 * index
        assert row == [low, 5, low + 30, 5, low + 59, 5], row


def test_it_goes_back_to_every_row_when_there_is_room():
    appliance, clock, sealer = made()
    sealer.fill = 80
    run_until(appliance, clock, 130000 + 690000)
    sealer.fill = 60
    run_until(appliance, clock, 130000 + 700000)
    assert sealer.take() == []
    sealer.fill = 59
    run_until(appliance, clock, 130000 + 710000)
    whole, part = sealer.take()
    assert (whole[1], whole[3], whole[5], len(whole[4])) == (130000, 600000, 60, 1)
    # The eleven rows since stand for themselves: a row of as many.
    assert (part[1], part[3], part[5], part[4]) == (730000, 110000, 11, [[73, 5, 78, 5, 83, 5]])
    appliance.seal()
    (frame,) = sealer.take()
    assert frame == ("columns", 840000, 1_700_000_840, 10000, [[84, 5]])


def test_events_are_not_thinned_and_do_not_cut_a_row():
    appliance, clock, sealer = made()
    sealer.fill = 99
    run_until(appliance, clock, 200000)
    appliance.event("knock", 3)
    appliance.settle()
    assert sealer.take() == [("events", 200000, 1_700_000_200, [(2, 0, 3)], True)]
    appliance.event("heap_free", 7)
    run_until(appliance, clock, 130000 + 7190000)
    columns, events = sealer.take()
    assert (len(columns[4]), columns[5]) == (12, 60)
    assert events[3] == [(4, 0, 7)]


def test_a_lone_row_is_not_thinned():
    appliance, clock, sealer = made()
    sealer.fill = 99
    run_until(appliance, clock, 130000)
    appliance.seal()
    assert sealer.take() == [("columns", 130000, 1_700_000_130, 10000, [[13, 5]])]


def test_a_clock_that_is_set_ends_a_thinned_frame():
    appliance, clock, sealer = made()
    sealer.fill = 99
    run_until(appliance, clock, 155000)
    clock.offset_s += 100
    run_until(appliance, clock, 160000)
    (frame,) = sealer.take()
    assert (frame[1], frame[2], frame[3], frame[5]) == (130000, 1_700_000_130, 30000, 3)
    appliance.seal()
    assert sealer.take()[0][2] == 1_700_000_260


def test_live_rows_become_rows_of_a_minute():
    appliance, clock, sealer = made()
    sealer.fill = 99
    appliance.command("live", [150])
    run_until(appliance, clock, 125000 + 152000, 500)
    whole, part = sealer.take()
    assert (whole[3], whole[5], len(whole[4])) == (60000, 60, 2)
    assert (part[3], part[5], len(part[4])) == (30000, 30, 1)


def test_missed_slots_are_missing_in_a_row_and_a_long_hole_ends_it():
    appliance, clock, sealer = made()
    sealer.fill = 99
    run_until(appliance, clock, 150000)
    clock.now = 185000
    appliance.tick()
    clock.now = 600000
    appliance.tick()
    (frame,) = sealer.take()
    assert (frame[1], frame[3], frame[5], frame[4]) == (130000, 60000, 6, [[13, 5, 15, 5, 16, 5]])


def test_rows_that_are_far_apart_are_thinned_by_six():
    appliance, clock, sealer = made(step_ms=3600000)
    sealer.fill = 99
    run_until(appliance, clock, 12 * 3600000, 60000)
    frames = sealer.take()
    assert [(frame[3], frame[5], len(frame[4])) for frame in frames] == [(6 * 3600000, 6, 1)] * 2, frames


def test_more_channels_than_a_frame_can_hold_three_times_stay_as_they_are():
    channels = [["c" + str(index), "W", 1, 1, 0, "energy", "p"] for index in range(11)]
    appliance, clock, sealer = made(channels, {"p": Sensor(1)})
    sealer.fill = 99
    run_until(appliance, clock, 130000 + 600000)
    (frame,) = sealer.take()
    assert (len(frame), len(frame[4])) == (5, 60)
