"""The HTTPS sink against a real server: what it sends, and what it makes of every answer."""

from __future__ import annotations

import asyncio
import datetime as dt
import gzip
import ipaddress
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC
from email.utils import format_datetime
from pathlib import Path

import pytest
import pytest_asyncio
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from hypothesis import given
from hypothesis import strategies as st

from gateway.forward import https_sink
from gateway.forward.https_sink import HttpsSink, client_tls, retry_after_s
from gateway.forward.sink import Rejected, Retry

EVENTS = ['{"specversion":"1.0","id":"1"}', '{"specversion":"1.0","id":"ü"}']
Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass
class Got:
    """One request as it came, its body not unpacked."""

    headers: dict[str, str]
    body: bytes
    client: str | None


class Cloud:
    """A server on a loopback port that keeps requests and answers as it is told."""

    def __init__(self) -> None:
        self.requests: list[Got] = []
        self.status = 202
        self.headers: dict[str, str] = {}
        self.answer: Answer | None = None
        self.port = 0
        self._runner: web.AppRunner | None = None

    async def start(self, tls: ssl.SSLContext | None = None) -> None:
        app = web.Application(client_max_size=2**24)
        app.router.add_route("*", "/{path:.*}", self._take)
        self._runner = web.AppRunner(app, auto_decompress=False)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0, ssl_context=tls)
        await site.start()
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        if self._runner:
            await self._runner.cleanup()

    async def _take(self, request: web.Request) -> web.StreamResponse:
        certificate = request.get_extra_info("peercert")
        client = dict(field[0] for field in certificate["subject"])["commonName"] if certificate else None
        self.requests.append(Got(dict(request.headers), await request.read(), client))
        if self.answer:
            return await self.answer(request)
        return web.Response(status=self.status, headers=self.headers, text="thank you")


@pytest_asyncio.fixture
async def cloud() -> AsyncIterator[Cloud]:
    made = Cloud()
    await made.start()
    yield made
    await made.stop()


@pytest_asyncio.fixture
async def sink(cloud: Cloud) -> AsyncIterator[HttpsSink]:
    made = HttpsSink(f"http://127.0.0.1:{cloud.port}/v1/recipients/manufacturer/events", token="s3cret")
    yield made
    await made.close()


async def refusal(sink: HttpsSink) -> Retry:
    with pytest.raises(Retry) as why:
        await sink.send(sink.compose(EVENTS))
    return why.value


pytestmark = pytest.mark.asyncio


class TestRequest:
    async def test_a_batch_is_a_gzipped_array_of_the_events_as_they_are(self, cloud: Cloud, sink: HttpsSink):
        await sink.send(sink.compose(EVENTS))
        (got,) = cloud.requests
        assert gzip.decompress(got.body).decode() == "[" + ",".join(EVENTS) + "]"
        assert json.loads(gzip.decompress(got.body))[1]["id"] == "ü"
        assert got.headers["Content-Type"] == "application/cloudevents-batch+json; charset=utf-8"
        assert got.headers["Content-Encoding"] == "gzip"
        assert got.headers["Authorization"] == "Bearer s3cret"
        assert sink.bytes_sent == len(got.body)

    async def test_no_token_no_header(self, cloud: Cloud):
        sink = HttpsSink(f"http://127.0.0.1:{cloud.port}/")
        await sink.send(sink.compose(EVENTS))
        await sink.close()
        assert "Authorization" not in cloud.requests[0].headers

    async def test_a_retry_is_the_same_byte_for_byte_even_after_a_restart(self, cloud: Cloud, sink: HttpsSink):
        cloud.status = 503
        await refusal(sink)
        await asyncio.sleep(1.1)  # gzip may write the second into its header
        cloud.status = 200
        await sink.send(sink.compose(EVENTS))
        again = HttpsSink(sink.url)
        await again.send(again.compose(EVENTS))
        await again.close()
        assert len({got.body for got in cloud.requests}) == 1

    async def test_nothing_of_the_receiver_is_kept_and_sent_back(self, cloud: Cloud, sink: HttpsSink):
        cloud.headers = {"Set-Cookie": "household=17; Path=/"}
        await sink.send(sink.compose(EVENTS))
        await sink.send(sink.compose(EVENTS))
        assert "Cookie" not in cloud.requests[1].headers

    async def test_the_token_is_not_in_what_is_told(self, cloud: Cloud, sink: HttpsSink):
        cloud.status = 401
        assert "s3cret" not in str(await refusal(sink))


class TestAnswers:
    @pytest.mark.parametrize("status", [200, 201, 202, 204])
    async def test_any_2xx_is_stored(self, cloud: Cloud, sink: HttpsSink, status: int):
        cloud.status = status
        await sink.send(sink.compose(EVENTS))

    @pytest.mark.parametrize("status", [400, 413, 415, 422])
    async def test_a_body_at_fault_is_rejected(self, cloud: Cloud, sink: HttpsSink, status: int):
        cloud.status = status
        with pytest.raises(Rejected, match=str(status)):
            await sink.send(sink.compose(EVENTS))

    @pytest.mark.parametrize(
        ("status", "hint"),
        [(401, "token"), (403, "certificate"), (404, "URL"), (408, ""), (429, ""), (500, ""), (502, ""), (503, "")],
    )
    async def test_anything_else_is_a_retry_with_a_hint(self, cloud: Cloud, sink: HttpsSink, status: int, hint: str):
        cloud.status = status
        why = await refusal(sink)
        assert str(status) in str(why)
        assert hint in str(why)
        assert why.after_s is None

    @pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
    async def test_a_redirect_is_not_followed(self, cloud: Cloud, sink: HttpsSink, status: int):
        cloud.status = status
        cloud.headers = {"Location": f"http://127.0.0.1:{cloud.port}/elsewhere"}
        assert str(status) in str(await refusal(sink))
        assert len(cloud.requests) == 1

    async def test_a_wait_in_seconds_is_honoured(self, cloud: Cloud, sink: HttpsSink):
        cloud.status, cloud.headers = 429, {"Retry-After": "17"}
        assert (await refusal(sink)).after_s == 17

    async def test_a_wait_until_a_date_is_honoured(self, cloud: Cloud, sink: HttpsSink):
        until = dt.datetime.now(UTC) + dt.timedelta(seconds=100)
        cloud.status, cloud.headers = 503, {"Retry-After": format_datetime(until, usegmt=True)}
        after_s = (await refusal(sink)).after_s
        assert after_s is not None
        assert 95 < after_s <= 100

    async def test_a_connection_that_is_refused(self, cloud: Cloud, sink: HttpsSink):
        await cloud.stop()
        assert "cannot be reached" in str(await refusal(sink))

    async def test_a_name_that_does_not_exist(self):
        sink = HttpsSink("https://no-such-host.invalid/")
        assert "cannot be reached" in str(await refusal(sink))
        await sink.close()

    async def test_an_answer_that_breaks_off_is_sent_again(self, cloud: Cloud, sink: HttpsSink):
        async def break_off(request: web.Request) -> web.StreamResponse:
            assert request.transport
            request.transport.abort()
            return web.Response()

        cloud.answer = break_off
        assert "cannot be reached" in str(await refusal(sink))
        cloud.answer = None
        await sink.send(sink.compose(EVENTS))

    async def test_an_answer_that_never_comes_ends(self, cloud: Cloud, monkeypatch: pytest.MonkeyPatch):
        async def wait(_: web.Request) -> web.StreamResponse:
            await asyncio.sleep(3)
            return web.Response()

        cloud.answer = wait
        monkeypatch.setattr(https_sink, "_TIMEOUT_S", 0.2)
        sink = HttpsSink(f"http://127.0.0.1:{cloud.port}/")
        began = asyncio.get_running_loop().time()
        assert "no answer within 0.2 s" in str(await refusal(sink))
        assert asyncio.get_running_loop().time() - began < 2
        await sink.close()

    async def test_an_endless_answer_is_not_read_to_its_end(self, cloud: Cloud, sink: HttpsSink):
        written = 0

        async def endless(request: web.Request) -> web.StreamResponse:
            nonlocal written
            response = web.StreamResponse(status=200)
            await response.prepare(request)
            while True:
                await response.write(bytes(65_536))
                written += 65_536

        cloud.answer = endless
        await sink.send(sink.compose(EVENTS))
        await sink.close()
        await asyncio.sleep(0.1)
        assert written < 50_000_000


class Authority:
    """A certificate authority that lives as long as the test."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.certificate = self._certificate("Test CA", self.key, None)
        self.file = self._write("ca", self.certificate)

    def issue(self, name: str, usage: x509.ObjectIdentifier) -> tuple[Path, Path]:
        """(certificate, key), two PEM files."""
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = self._write(name, self._certificate(name, key, usage))
        path = self.folder / f"{name}.key"
        path.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        return certificate, path

    def _certificate(
        self, name: str, key: ec.EllipticCurvePrivateKey, usage: x509.ObjectIdentifier | None
    ) -> x509.Certificate:
        def subject(common_name: str) -> x509.Name:
            return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])

        now = dt.datetime.now(UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject(name))
            .issuer_name(subject("Test CA"))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(minutes=5))
            .not_valid_after(now + dt.timedelta(hours=1))
            .add_extension(x509.BasicConstraints(ca=usage is None, path_length=None), critical=True)
            .add_extension(
                x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False
            )
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()), critical=False)
        )
        if usage:
            builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        return builder.sign(self.key, hashes.SHA256())

    def _write(self, name: str, certificate: x509.Certificate) -> Path:
        path = self.folder / f"{name}.pem"
        path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        return path


class TestTls:
    @staticmethod
    async def serve(authority: Authority, *, ask: bool) -> Cloud:
        cloud = Cloud()
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(*authority.issue("server", ExtendedKeyUsageOID.SERVER_AUTH))
        if ask:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(authority.file)
        await cloud.start(context)
        return cloud

    async def test_a_client_certificate_says_who_we_are(self, tmp_path: Path):
        authority = Authority(tmp_path)
        cloud = await self.serve(authority, ask=True)
        certificate, key = authority.issue("household", ExtendedKeyUsageOID.CLIENT_AUTH)
        sink = HttpsSink(f"https://127.0.0.1:{cloud.port}/", tls=client_tls(authority.file, certificate, key))
        await sink.send(sink.compose(EVENTS))
        await sink.close()
        await cloud.stop()
        assert cloud.requests[0].client == "household"

    async def test_without_it_the_server_gets_nothing(self, tmp_path: Path):
        authority = Authority(tmp_path)
        cloud = await self.serve(authority, ask=True)
        sink = HttpsSink(f"https://127.0.0.1:{cloud.port}/", tls=client_tls(authority.file, None, None))
        assert "cannot be reached" in str(await refusal(sink))
        await sink.close()
        await cloud.stop()
        assert cloud.requests == []

    async def test_a_server_that_our_ca_does_not_know_gets_nothing(self, tmp_path: Path):
        (tmp_path / "other").mkdir()
        authority, other = Authority(tmp_path), Authority(tmp_path / "other")
        cloud = await self.serve(authority, ask=False)
        for tls in (client_tls(other.file, None, None), client_tls(None, None, None)):
            sink = HttpsSink(f"https://127.0.0.1:{cloud.port}/", token="s3cret", tls=tls)
            assert "certificate verify failed" in str(await refusal(sink))
            await sink.close()
        await cloud.stop()
        assert cloud.requests == []

    async def test_files_that_cannot_be_read_are_told(self, tmp_path: Path):
        with pytest.raises(OSError, match="No such file"):
            client_tls(tmp_path / "missing.pem", None, None)
        (tmp_path / "empty.pem").write_text("no certificate")
        with pytest.raises(ssl.SSLError):
            client_tls(None, tmp_path / "empty.pem", tmp_path / "empty.pem")


NOW = dt.datetime(2026, 5, 28, 20, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (None, None),
        ("0", 0),
        ("120", 120),
        (" 7 ", 7),
        ("9" * 400, 999_999_999),
        ("Thu, 28 May 2026 20:01:40 GMT", 100),
        ("Thu, 28 May 2026 22:01:40 +0200", 100),
        ("Thursday, 28-May-26 20:01:40 GMT", 100),
        ("Thu May 28 20:01:40 2026", 100),
        ("Wed, 27 May 2026 20:00:00 GMT", 0),
        ("", None),
        ("-5", None),
        ("1.5", None),
        ("soon", None),
        ("٣", None),
        ("Thu, 99 May 2026 20:01:40 GMT", None),
        ("Thu, 28 May 99999 20:01:40 GMT", None),
        ("Thu, 28 May 2026 20:01:40 +9999", None),
    ],
)
async def test_both_forms_of_retry_after(header: str | None, expected: float | None):
    assert retry_after_s(header, NOW) == expected


@given(
    st.text(max_size=40)
    | st.from_regex(r"[A-Z][a-z]{2}, \d{1,3} [A-Z][a-z]{2} \d{1,6} \d{1,3}:\d\d:\d\d [A-Z+\-\d]{0,6}")
)
def _any_header(header: str) -> None:
    after_s = retry_after_s(header, NOW)
    assert after_s is None or after_s >= 0


async def test_no_header_at_all_raises():
    _any_header()
