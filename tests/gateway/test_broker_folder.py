"""The broker's files: passwords as Mosquitto hashes them, certificates, and a folder that changes while it is used."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from gateway.broker import certificates, mosquitto
from gateway.broker.access import AccessError
from gateway.broker.certificates import CertificateError
from gateway.broker.folder import BrokerFolder, BrokerFolderError, Told
from gateway.broker.passwords import fits, password_file, password_line
from tests.broker_house import DEVICE, OTHER

NOW = datetime(2026, 5, 1, tzinfo=UTC)
# Of mosquitto_passwd 2.0.11, for the password "correct horse".
THEIRS = (
    "a:$7$101$rSnFYpQMVmN6nyRb$Y5hbTYVGosF7bTPljRJOk6HdVo15d7L1PRWC+fN8QUyWwbdZSkNzc39/mMZzndKfQlRO4DAhlvZlNoon8G4Usg=="
)


@pytest.fixture
def folder(tmp_path: Path) -> BrokerFolder:
    made = BrokerFolder(tmp_path / "broker")
    set_up(made)
    return made


def set_up(
    folder: BrokerFolder, *hosts: str, gateways: tuple[str, ...] = (), now: datetime = NOW, **devices: str
) -> None:
    folder.set_up(
        hosts=hosts or ("pi.local", "127.0.0.1"), port=8883, gateways=gateways, devices=devices, now=now, user="pi",
        executable="/usr/sbin/mosquitto",
    )  # fmt: skip


def contents(folder: BrokerFolder) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.path.iterdir()}


def test_a_line_of_mosquittos_own_tool_is_understood():
    assert fits(THEIRS, "a", "correct horse")
    assert not fits(THEIRS, "a", "correct horst")
    assert not fits(THEIRS, "b", "correct horse")


@pytest.mark.parametrize(
    "line",
    ["", "a", "a:", "a:$6$x$y", "a:$7$101$x", *(f"a:$7${n}$AAAA$AAAA" for n in ("0", "x", "101", "9999999"))],
)
def test_a_damaged_line_lets_nobody_in(line: str):
    assert not fits(line, "a", "")


def test_what_did_not_change_is_not_written_anew():
    before = password_file("", {"a": "1", "b": "2"})
    after = password_file(before, {"b": "2", "a": "9", "c": "3"})
    assert before.splitlines()[1] == after.splitlines()[1]
    assert fits(after.splitlines()[0], "a", "9")
    assert password_line("a", "1") != password_line("a", "1")


def test_only_the_owner_can_read_any_of_it_and_a_password_stands_nowhere_else(folder: BrokerFolder):
    assert folder.path.stat().st_mode & 0o777 == 0o700
    assert {file.stat().st_mode & 0o777 for file in folder.path.iterdir()} == {0o600}
    secret = folder.password("gateway").encode()
    assert [name for name, data in contents(folder).items() if secret in data] == ["gateway.password"]


def test_the_authority_and_the_certificate_are_what_boards_can_check(folder: BrokerFolder):
    ca = x509.load_pem_x509_certificate(folder.ca())
    server = x509.load_pem_x509_certificate((folder.path / "server.pem").read_bytes())
    for one in (ca, server):
        key = one.public_key()
        assert isinstance(key, ec.EllipticCurvePublicKey)
        assert isinstance(key.curve, ec.SECP256R1)
    assert ca.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert not server.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert 19.9 < (ca.not_valid_after_utc - NOW).days / 365.25 < 20.1
    assert (server.not_valid_after_utc - NOW).days == 730
    server.verify_directly_issued_by(ca)
    assert certificates.hosts_of((folder.path / "server.pem").read_bytes()) == ["pi.local", "127.0.0.1"]


@pytest.mark.parametrize("host", ["", "a b", "-a", "a..b", "pi.local\nuser x", "*", "a/b", "x" * 64, "300.1.1.1.1 "])
def test_a_name_that_is_none_is_refused(tmp_path: Path, host: str):
    with pytest.raises(CertificateError, match="neither a host name nor an address"):
        set_up(BrokerFolder(tmp_path / "b"), host)


def test_again_it_keeps_what_boards_trust(folder: BrokerFolder):
    before = contents(folder)
    set_up(folder)
    assert contents(folder) == before
    set_up(folder, "other.local", gateways=("second",), **{DEVICE: "x"})
    after = contents(folder)
    changed = {name for name in after if after[name] != before.get(name)}
    assert changed == {"server.pem", "passwords", "acl", "second.password"}
    assert folder.trouble() is None


def test_who_is_let_in_changes_and_nothing_is_written_where_nothing_does(folder: BrokerFolder):
    assert folder.admit({DEVICE: "1", OTHER: "2"})
    before = (folder.path / "passwords").stat()
    assert not folder.admit({DEVICE: "1", OTHER: "2"})
    assert (folder.path / "passwords").stat().st_ino == before.st_ino
    assert folder.admit({OTHER: "2"})
    users = [line.partition(":")[0] for line in (folder.path / "passwords").read_text().splitlines()]
    assert users == [OTHER, "gateway", "look"]


def test_the_certificate_is_for_its_hosts_however_they_are_spelt(tmp_path: Path):
    folder = BrokerFolder(tmp_path / "broker")
    set_up(folder, "Pi.local", "192.168.1.5", "fd00::5")
    assert [host for host in ("pi.local", "192.168.1.5", "fd00:0:0::05") if not folder.certified(host)] == []
    assert [host for host in ("pi", "192.168.1.6", "localhost", "") if folder.certified(host)] == []


@pytest.mark.parametrize("path", ["with space", "a%b", 'a"b', "a$b"])
def test_a_path_that_stands_in_other_programs_files_is_plain(tmp_path: Path, path: str):
    with pytest.raises(BrokerFolderError, match="without spaces"):
        BrokerFolder(tmp_path / path)


def test_a_gateway_cannot_be_named_like_a_board(tmp_path: Path):
    with pytest.raises(AccessError):
        set_up(BrokerFolder(tmp_path / "b"), gateways=(DEVICE,))


def test_what_is_missing_is_a_sentence(tmp_path: Path):
    folder = BrokerFolder(tmp_path / "none")
    for deed in (lambda: folder.admit({}), lambda: folder.renew(NOW), folder.ca, folder.expiries, folder.trouble):
        with pytest.raises(BrokerFolderError, match="broker setup"):
            deed()
    assert folder.reload() is Told.NOT_RUNNING


def test_the_authority_is_changed_in_two_steps(folder: BrokerFolder):
    first = folder.ca()
    with pytest.raises(BrokerFolderError, match="no next authority"):
        folder.finish_ca(NOW)
    folder.rotate_ca(NOW)
    both = folder.ca()
    folder.rotate_ca(NOW)
    assert folder.ca() == both
    assert both.startswith(first)
    assert folder.expiries().next_ca is not None
    assert certificates.issued(first, (folder.path / "server.pem").read_bytes())
    assert folder.trouble() is None
    folder.finish_ca(NOW)
    assert folder.ca() == both[len(first) :]
    assert folder.expiries().next_ca is None
    assert folder.trouble() is None
    assert not certificates.issued(first, (folder.path / "server.pem").read_bytes())
    folder.renew(NOW + timedelta(days=10))
    assert certificates.issued(folder.ca(), (folder.path / "server.pem").read_bytes())


@pytest.mark.parametrize("writes", range(6))
def test_changing_the_authority_may_be_cut_off_anywhere(folder: BrokerFolder, monkeypatch: Any, writes: int):
    class Cut(Exception):
        pass

    left = [writes]
    replace = Path.replace

    def cut(self: Path, target: Path) -> Path:
        if left[0] == 0:
            raise Cut
        left[0] -= 1
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", cut)
    first = folder.ca()
    try:
        folder.rotate_ca(NOW)
        folder.finish_ca(NOW)
    except Cut:
        pass
    monkeypatch.undo()
    server = (folder.path / "server.pem").read_bytes()
    cas = x509.load_pem_x509_certificates(folder.ca())
    assert any(certificates.issued(certificates._pem(ca), server) for ca in cas)
    folder.rotate_ca(NOW)
    folder.finish_ca(NOW)
    assert folder.trouble() is None
    folder.renew(NOW)
    assert folder.trouble() is None
    assert folder.ca() != first


def test_a_key_may_be_kept_elsewhere(folder: BrokerFolder):
    before = folder.ca()
    (folder.path / "ca.key").unlink()
    set_up(folder)
    assert folder.ca() == before
    with pytest.raises(BrokerFolderError, match=r"ca\.key"):
        folder.renew(NOW)


def test_trouble_is_told(folder: BrokerFolder):
    (folder.path / "gateway.password").write_text("another\n")
    assert "not the password that Mosquitto knows" in str(folder.trouble())
    ca = certificates.make_ca(NOW)
    (folder.path / "ca.crt").write_bytes(ca.certificate)
    assert "not signed" in str(folder.trouble())


def test_no_stranger_gets_the_signal(folder: BrokerFolder):
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        for pid in (process.pid, os.getpid(), 0, 1, -1):
            (folder.path / mosquitto.PID).write_text(f"{pid}\n")
            assert folder.reload() is Told.NOT_RUNNING
        assert process.poll() is None
    finally:
        process.kill()
        process.wait()


def test_mosquitto_takes_the_files_and_a_reload_ends_nobody_else(household_broker: Callable[..., Any]):
    house = household_broker("127.0.0.1")
    log = (house.folder.path / "log").read_text()
    assert "Error" not in log
    assert (house.folder.path / mosquitto.PID).exists()
    house.folder.renew(datetime.now(UTC))
    house.reload()
    house.stop()
    assert house.folder.reload() is Told.NOT_RUNNING
