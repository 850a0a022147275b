"""store/crashes.py and what shows it: reports of crashes are kept once, the newest few, and told to people."""

from pathlib import Path
from typing import Any

from gateway.store import crashes, devices
from gateway.store.database import Database
from gateway.web.trouble import problems
from gateway.wire.crash import encode_crash
from tests.gateway.commands import run

TEXT = b"Traceback (most recent call last):\nValueError: as scripted\n"


def report(board: Any, nth: int = 1, text: bytes = TEXT) -> Any:
    return board.say("crash", encode_crash(7, 2, 30000, nth, [0, 3, 1, 0, 0, 2, 0], text))


def told(household: Any) -> list[int]:
    return [found.crash.nth for found in crashes.newest(household.db, 1)]


def test_a_report_that_comes_twice_is_kept_once(household: Any, board: Any):
    assert household.receive(report(board), report(board)).dead == 0
    household.receive(report(board))
    assert told(household) == [1]


def test_the_newest_are_kept_and_shown_first(household: Any, board: Any):
    for nth in range(1, 31):
        household.receive(report(board, nth))
    assert told(household) == list(range(30, 10, -1))


def test_a_report_gives_no_ack_and_no_reading(household: Any, board: Any):
    done = household.receive(report(board))
    assert (done.stored, done.acks, done.states) == (0, {}, [])


def test_what_is_no_report_or_another_boards_is_set_aside(household: Any, board: Any):
    topic, sealed = report(board)
    household.receive((topic, sealed[:-1] + b"\x00"), (topic.replace("/crash", "/up"), sealed))
    household.receive(board.say("crash", b"\x81\x01"), board.say("crash", b"\xff"))
    assert told(household) == []
    assert sorted(household.dead()) == [("bad_crash", 1), ("bad_crash", 1), ("bad_mac", 1), ("bad_mac", 1)]


def test_reports_go_with_their_device(household: Any, board: Any):
    household.receive(report(board))
    with household.db.transaction() as sql:
        sql.execute("DELETE FROM device")
    assert household.count("crash") == 0


def test_the_problems_page_shows_the_newest_of_each(household: Any, board: Any):
    household.receive(report(board, 1), report(board, 2, b"KeyError: newest"))
    (shown,) = problems(household.db).crashed
    assert (shown.device, shown.detail) == (board.device, "KeyError: newest")
    devices.revoke(household.db, board.device, 0)
    assert problems(household.db).crashed == ()


def test_commands_show_them(household: Any, board: Any, tmp_path: Path):
    household.receive(board.birth(), report(board), report(board, 2, b""))
    household.db.close()
    settings = tmp_path / "hearthgate.toml"
    settings.write_text(f'[store]\npath = "{household.path}"\n[console]\nenabled = false\n')
    said = run(tmp_path, "--settings", str(settings), "devices", "show", board.device).stdout
    assert "Kitchen fridge" in said and "ValueError: as scripted" in said
    assert "3 power-on, 1 hard reset, 2 soft reset" in said
    assert "no device" in run(tmp_path, "--settings", str(settings), "devices", "show", "ffffffffffff").stderr
    household.db = Database(household.path)
