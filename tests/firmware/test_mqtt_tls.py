"""The board's MQTT client over TLS: it talks only to the broker whose name and authority it was given."""

from __future__ import annotations

import asyncio
import datetime as dt
import ipaddress
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.conftest import BrokerFactory
from tests.firmware.mqtt_stage import CONNACK, Play, Stage


class Authority:
    """A certificate authority of this test alone."""

    def __init__(self, folder: Path, name: str) -> None:
        self._folder, self._name = folder, name
        self._key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self._certificate = self._sign(subject, self._key.public_key(), subject, [], ca=True)
        self.path = folder / f"{name}.der"
        self.path.write_bytes(self._certificate.public_bytes(serialization.Encoding.DER))
        self.pem = folder / f"{name}.pem"
        self.pem.write_bytes(self._certificate.public_bytes(serialization.Encoding.PEM))

    def _sign(
        self, subject: x509.Name, key: ec.EllipticCurvePublicKey, issuer: x509.Name, hosts: list[str], ca: bool
    ) -> x509.Certificate:
        now = dt.datetime.now(dt.UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(days=1))
            .not_valid_after(now + dt.timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        )
        if hosts:
            names = [x509.DNSName(host) for host in hosts]
            address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
            builder = builder.add_extension(x509.SubjectAlternativeName([*names, address]), critical=False)
        return builder.sign(self._key, hashes.SHA256())

    def server(self, host: str) -> tuple[Path, Path]:
        """Certificate and key files for a broker of this name."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
        certificate = self._sign(subject, key.public_key(), self._certificate.subject, [host], ca=False)
        paths = self._folder / f"{host}.crt", self._folder / f"{host}.key"
        paths[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        paths[1].write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.TraditionalOpenSSL,
                serialization.NoEncryption(),
            )
        )
        return paths


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path, "home")


@pytest.mark.parametrize("form", ["der", "pem"])
def test_tls_with_the_right_authority_works(broker: BrokerFactory, play: Play, authority: Authority, form: str) -> None:
    port = broker(tls=authority.server("hearth.home")).port
    ca = authority.path if form == "der" else authority.pem

    async def scene(stage: Stage) -> None:
        puppet = await stage(port, tls={"ca": str(ca), "server_hostname": "hearth.home"}, subscribe=["echo"])
        await puppet.event("connect")
        long = "x" * 3000
        await puppet.do("publish", topic="echo", payload=long)
        assert (await puppet.event("message"))["payload"] == long
        state = await puppet.do("state")
        assert (state["connects"], state["acked"]) == (1, 1)

    play(scene)


def test_tls_refuses_another_authority(broker: BrokerFactory, play: Play, authority: Authority, tmp_path: Path) -> None:
    port = broker(tls=authority.server("hearth.home")).port
    other = Authority(tmp_path, "stranger")

    async def scene(stage: Stage) -> None:
        puppet = await stage(port, tls={"ca": str(other.path), "server_hostname": "hearth.home"})
        state = await puppet.until(lambda state: state["last_error"])
        assert "not correctly signed by the trusted CA" in state["last_error"]
        assert state["connects"] == 0

    play(scene)


def test_tls_refuses_another_host_name(broker: BrokerFactory, play: Play, authority: Authority) -> None:
    port = broker(tls=authority.server("hearth.home")).port

    async def scene(stage: Stage) -> None:
        puppet = await stage(port, tls={"ca": str(authority.path), "server_hostname": "hearth.example"})
        state = await puppet.until(lambda state: state["last_error"])
        assert "does not match with the expected CN" in state["last_error"]
        assert state["connects"] == 0

    play(scene)


def test_tls_against_a_plain_server_fails_and_is_tried_again(play: Play, authority: Authority) -> None:
    async def scene(stage: Stage) -> None:
        visits = 0

        async def plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal visits
            visits += 1
            writer.write(CONNACK * 20)
            await reader.read()
            writer.close()

        server = await asyncio.start_server(plain, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        async with server:
            puppet = await stage(port, tls={"ca": str(authority.path), "server_hostname": "hearth.home"})
            state = await puppet.until(lambda state: visits >= 3)
            assert state["last_error"]

    play(scene)
