"""The sinks that the settings name, made with their tokens and certificates: here those files are read."""

import re
import ssl

from gateway.app.settings import SettingsError, SinkSettings
from gateway.forward.file_sink import FileSink
from gateway.forward.sink import Sink


def make_sink(settings: SinkSettings) -> Sink:
    """The sink that a section of the settings describes; nothing is opened yet. Raises SettingsError."""
    if settings.kind == "file" and settings.path is not None:
        return FileSink(settings.path, max_bytes=settings.max_mb * 1_000_000, keep=settings.keep)
    from gateway.forward.https_sink import HttpsSink, client_tls  # noqa: PLC0415 - only who shares needs HTTP
    from gateway.forward.stream_sink import StreamSink, server_tls  # noqa: PLC0415

    try:
        token = settings.token_file.read_text(encoding="ascii").strip() if settings.token_file else None
        if settings.kind == "stream":
            tls = server_tls(settings.certificate, settings.key)
        else:
            tls = client_tls(settings.ca, settings.certificate, settings.key)
    except (OSError, ssl.SSLError, UnicodeDecodeError) as why:
        raise SettingsError(f"sink {settings.name}: {why}. Check token_file, ca, certificate and key.") from why
    if token is not None and not re.fullmatch(r"[\x21-\x7e]+", token):
        raise SettingsError(f"sink {settings.name}: token_file must hold one word, the token, and nothing else")
    if settings.kind == "stream" and token is not None:
        return StreamSink(settings.host, settings.port, token=token, tls=tls)
    if settings.url is None:
        raise SettingsError(f"sink {settings.name}: no url")
    return HttpsSink(settings.url, token=token, tls=tls, erasure_url=settings.erasure_url)
