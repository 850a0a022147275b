from dataclasses import replace

from tools.chaos_times import Stored, reordered, timeless

DEVICE = "5e0000000001"


def series(boot: int, seq: int, up_ms: int, length_ms: int, offset_ms: int | None, own: int | None = None) -> Stored:
    """Rows at these uptimes; `offset_ms` and `own`: where the store and the board's own clock put uptime 0."""
    return Stored(
        DEVICE,
        boot,
        seq,
        crc=seq,
        start_ms=None if offset_ms is None else offset_ms + up_ms,
        end_ms=None if offset_ms is None else offset_ms + up_ms + length_ms,
        is_series=True,
        first_up_ms=up_ms,
        last_up_ms=up_ms + length_ms,
        own_ms=None if own is None else own + up_ms,
    )


def events(boot: int, seq: int, up_ms: int, length_ms: int, offset_ms: int | None, own: int | None = None) -> Stored:
    return replace(series(boot, seq, up_ms, length_ms, offset_ms, own), is_series=False)


def gap(boot: int, seq: int, gone: tuple[int, int, int]) -> Stored:
    return replace(events(boot, seq, 0, 0, None), gap=gone)


def test_reordered_within_a_boot_whatever_the_order_of_storing():
    rows = [series(1, 3, 3000, 0, 2000), series(1, 1, 0, 1500, 1000), series(1, 2, 1500, 0, 500)]
    assert reordered(rows) == [f"board {DEVICE}, boot 1, seq 2 begins 500 ms before the last row of boot 1, seq 1"]


def test_what_has_no_time_and_what_is_no_reading_have_no_order():
    assert not reordered([series(1, 1, 0, 100, 5000), series(1, 2, 100, 100, None), gap(1, 3, (1, 7, 9))])


def test_from_boot_to_boot_only_a_wrong_clock_may_go_back():
    assert reordered([series(1, 1, 0, 0, 400_000), series(2, 1, 0, 0, 399_000)])
    assert not reordered([series(1, 1, 0, 0, 400_000), series(2, 1, 0, 0, 0)])


def test_an_event_of_the_midst_of_rows_that_are_sealed_later_is_in_order():
    assert not reordered([events(1, 1, 500, 0, 9000), series(1, 2, 0, 1000, 9000), events(1, 3, 700, 900, 9000)])


def test_events_of_one_boot_keep_their_order():
    found = reordered([events(1, 1, 100, 50, 9000), events(1, 2, 200, 0, 8800)])
    assert found == [f"board {DEVICE}, boot 1, seq 2 begins 150 ms before the last event of boot 1, seq 1"]
    assert not reordered([events(1, 1, 100, 50, 9000), events(2, 1, 200, 0, 8800)])


def test_an_event_does_not_lie_before_rows_that_had_ended():
    rows = [series(1, 1, 0, 1000, 9000), series(1, 2, 1500, 100, 9000), events(1, 3, 1200, 0, 8000)]
    assert reordered(rows) == [f"board {DEVICE}, boot 1, seq 3 begins 800 ms before the last row of boot 1, seq 1"]


def test_rows_do_not_lie_before_an_event_that_came_before_them():
    rows = [events(1, 1, 500, 0, 9000), series(1, 2, 600, 100, 8000)]
    assert reordered(rows) == [f"board {DEVICE}, boot 1, seq 2 begins 900 ms before the last event of boot 1, seq 1"]


def test_a_boot_of_which_nobody_knows_the_time_has_none():
    assert timeless([series(1, 1, 0, 10, None), events(1, 2, 20, 0, None), gap(1, 3, (1, 9, 9))]) == (2, [])


def test_in_a_boot_with_a_time_every_frame_has_one():
    count, found = timeless([series(1, 1, 0, 10, None), events(1, 2, 20, 0, None), series(1, 3, 30, 10, 5000)])
    assert count == 2
    assert found == [
        f"board {DEVICE}, boot 1, seq {seq} has no time, though its boot has one and nothing before it is missing"
        for seq in (1, 2)
    ]


def test_a_frame_above_a_hole_waits_until_it_is_closed():
    rows = [series(1, 1, 0, 10, 5000), series(1, 4, 30, 10, None)]
    assert timeless(rows) == (1, [])
    assert len(timeless([*rows, gap(2, 1, (1, 2, 2))])[1]) == 0
    assert len(timeless([*rows, gap(2, 1, (1, 2, 3))])[1]) == 1


def test_there_may_be_no_room_before_the_boots_that_began_meanwhile():
    late = series(1, 2, 1000, 5000, None)
    for begins_ms, told in ((20_000, 1), (12_000, 0)):
        assert len(timeless([series(1, 1, 0, 900, 9000), late, series(2, 1, 0, 10, begins_ms)])[1]) == told


def test_nor_where_its_own_clock_puts_it_if_that_may_be_right():
    for own, told in ((15_000, 0), (4_000_000_000, 1)):
        late = events(1, 2, 1000, 5000, None, own)
        assert len(timeless([series(1, 1, 0, 900, 9000), late, series(2, 1, 0, 10, 20_000)])[1]) == told
