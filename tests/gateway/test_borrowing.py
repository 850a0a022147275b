"""What a command does where a gateway runs, where none does, and where one does not answer as it should."""

from __future__ import annotations

import contextlib
import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from gateway.app import borrowing
from gateway.app.borrowing import address, borrowed, borrowed_port, socket_path
from gateway.store.database import Database, StoreError


def test_where_no_gateway_runs_nobody_is_asked(tmp_path: Path):
    path = tmp_path / "db.sqlite"
    with borrowed(path):
        pass
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(socket_path(path)))
    with borrowed(path):
        Database(path).close()


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (b"", "no answer|timed out"),
        (b'{"error": "disk I/O error"}\n', "disk I/O error"),
        (b"HTTP/1.1 400\r\n", "does not speak as a gateway"),
        (b"x" * 10_000, "says too much"),
    ],
)
def test_a_gateway_that_does_not_lend_it_is_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: bytes, says: str
):
    monkeypatch.setattr(borrowing, "_READY_S", 0.2)
    path = tmp_path / "db.sqlite"
    with socket.socket(socket.AF_UNIX) as listener, ThreadPoolExecutor(1) as pool:
        listener.bind(str(socket_path(path)))
        listener.listen()

        def lender() -> None:
            with listener.accept()[0] as link, contextlib.suppress(ConnectionError):
                link.sendall(answer)
                link.recv(1)  # until the command has gone

        lent = pool.submit(lender)
        with pytest.raises(StoreError, match=says), borrowed(path):
            pytest.fail("it was not lent")
        lent.result()


def test_a_gateway_that_ends_meanwhile_takes_nothing_back(tmp_path: Path):
    path = tmp_path / "db.sqlite"
    with socket.socket(socket.AF_UNIX) as listener, ThreadPoolExecutor(1) as pool:
        listener.bind(str(socket_path(path)))
        listener.listen()

        def lender() -> None:
            with listener.accept()[0] as link:
                link.sendall(b'{"ready": true}\n')

        lent = pool.submit(lender)
        with borrowed(path) as loan:
            lent.result()
            loan.changed = True


def test_a_change_that_the_gateway_does_not_take_over_is_told(tmp_path: Path):
    path = tmp_path / "db.sqlite"
    with socket.socket(socket.AF_UNIX) as listener, ThreadPoolExecutor(1) as pool:
        listener.bind(str(socket_path(path)))
        listener.listen()

        def lender() -> bytes:
            with listener.accept()[0] as link:
                link.sendall(b'{"ready": true}\n')
                said = link.recv(100)
                link.sendall(b'{"error": "no room"}\n')
                return said

        lent = pool.submit(lender)
        with pytest.raises(StoreError, match="has not taken it over: no room"), borrowed(path) as loan:
            loan.changed = True
        assert lent.result() == b'{"changed": true}\n'


def test_where_no_gateway_runs_a_port_is_free(tmp_path: Path):
    with borrowed_port(tmp_path / "db.sqlite", "/dev/ttyUSB0") as released:
        assert released is None


@pytest.mark.parametrize(
    ("answer", "heard"),
    [
        (b'{"released": true, "heard": ["a0b1c2d3e4f5"]}\n', ("a0b1c2d3e4f5",)),
        (b'{"released": true}\n', ()),
        (b'{"released": false, "heard": []}\n', None),
        (b'{"done": true}\n', None),
        (b"", None),
    ],
    ids=["it had it", "an older gateway had it", "it had it not", "one that lends no ports", "it is gone"],
)
def test_a_port_is_asked_for_and_given_back(tmp_path: Path, answer: bytes, heard: tuple[str, ...] | None):
    path = tmp_path / "db.sqlite"
    with socket.socket(socket.AF_UNIX) as listener, ThreadPoolExecutor(1) as pool:
        listener.bind(str(socket_path(path)))
        listener.listen()

        def lender() -> list[bytes]:
            with listener.accept()[0] as link, link.makefile("rb") as said:
                link.sendall(b'{"ready": true}\n')
                heard = [said.readline()]
                link.sendall(answer)
                if answer:
                    heard.append(said.readline())
                    with contextlib.suppress(ConnectionError):
                        link.sendall(b'{"done": true}\n')
                return heard

        said = pool.submit(lender)
        with borrowed_port(path, "/dev/ttyUSB0") as lent:
            assert lent == heard
        assert said.result() == [b'{"port": "/dev/ttyUSB0"}\n', b'{"changed": false}\n'][: 1 + bool(answer)]


def test_a_short_path_is_its_own_address(tmp_path: Path):
    with address(Path("db.sqlite.sock")) as where:
        assert where == "db.sqlite.sock"
