"""A board that died before its birth was heard: its frames are shared all the same."""

from pathlib import Path

import pytest

from tests.faults.chaos_run import nothing_is_lost_and_nothing_comes_twice


@pytest.mark.timeout(300)
def test_what_was_measured_in_a_boot_that_was_never_introduced_is_shared(tmp_path: Path):
    nothing_is_lost_and_nothing_comes_twice(1, 50, "mosquitto-volatile", tmp_path)
