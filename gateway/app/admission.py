"""Who may come in at the broker, kept in step with the registry: Mosquitto by its files, the builtin one directly."""

import asyncio
import logging
import sqlite3
import ssl
from collections.abc import Mapping
from typing import TYPE_CHECKING

from gateway.app import rekeying
from gateway.app.settings import Broker, SettingsError
from gateway.app.source import BrokerAddress
from gateway.broker.access import GATEWAY, LOOK, mqtt_password
from gateway.errors import HearthgateError
from gateway.store import devices
from gateway.store.database import Database
from gateway.store.thread import StoreThread

if TYPE_CHECKING:
    from gateway.app.broker import BuiltinBroker
    from gateway.broker.folder import Told

log = logging.getLogger(__name__)


def passwords(db: Database) -> dict[str, str]:
    """The password of each board that may speak, by its id."""
    return {name: mqtt_password(device.key) for name, device in devices.registry(db).items() if not device.revoked}


def tell_mosquitto(settings: Broker, db: Database) -> "Told | None":
    """Write Mosquitto's files anew and tell it; None where it has no folder of ours. Raises BrokerFolderError."""
    return None if settings.folder is None or settings.builtin else _tell(settings, passwords(db))


def _tell(settings: Broker, boards: Mapping[str, str]) -> "Told | None":
    from gateway.broker.folder import BrokerFolder  # noqa: PLC0415 - loads what makes certificates

    if settings.folder is None:
        return None
    folder = BrokerFolder(settings.folder)
    folder.admit(boards)
    return folder.reload()


class Admission:
    """For the gateway that runs: `changed` makes the broker follow the registry. `builtin` is the broker inside, not
    started yet, or None."""

    def __init__(self, settings: Broker, db: Database, store: StoreThread) -> None:
        self._settings = settings
        self._db = db
        self._store = store
        self.builtin = self._make_builtin() if settings.builtin else None

    def address(self) -> BrokerAddress:
        """How the gateway itself reaches the broker. Raises SettingsError."""
        broker = self._settings
        if self.builtin is not None:
            return BrokerAddress(broker.host, self.builtin.port, GATEWAY, self.builtin.gateway_password)
        try:
            password = broker.password_file.read_text(encoding="utf-8").strip() if broker.password_file else None
            tls = ssl.create_default_context(cafile=broker.ca) if broker.ca else None
        except (OSError, ssl.SSLError, UnicodeDecodeError) as why:
            raise SettingsError(f"broker: {why}. Check password_file and ca.") from why
        return BrokerAddress(broker.host, broker.port, broker.user, password, tls)

    async def passwords(self) -> Mapping[str, tuple[str, ...]]:
        """What each board may show: while its key is being changed, what comes of either."""
        return await self._store(self._passwords)

    async def changed(self) -> None:
        """The registry may have changed. When this returns, who is not in it any more is no longer connected."""
        try:
            if self.builtin is not None:
                await self.builtin.enforce()
            elif self._settings.folder is not None:
                boards = await self._store(passwords, self._db)
                await asyncio.to_thread(_tell, self._settings, boards)
        except (HearthgateError, OSError, ValueError, sqlite3.OperationalError) as why:
            # Neither a full disk nor a file that is no text may end the gateway.
            log.warning("Mosquitto does not know of the last change of devices: %s", why)

    def _make_builtin(self) -> "BuiltinBroker":
        from gateway.app.broker import BuiltinBroker  # noqa: PLC0415 - with Mosquitto, which a house has, it is not loaded

        return BuiltinBroker(self._settings.host, self._settings.port, self.passwords)

    def _passwords(self) -> dict[str, tuple[str, ...]]:
        known: dict[str, tuple[str, ...]] = {name: (password,) for name, password in passwords(self._db).items()}
        for name, rekey in rekeying.pending(self._db).items():
            known[name] = (*known[name], mqtt_password(rekey.next.key))
        return known


def look(settings: Broker) -> tuple[str, str] | None:
    """User and password with which one may look without being taken for the gateway, whose connection would end; None
    where there is no folder of ours. Raises BrokerFolderError."""
    if settings.folder is None or settings.builtin:
        return None
    from gateway.broker.folder import BrokerFolder  # noqa: PLC0415 - loads what makes certificates

    return LOOK, BrokerFolder(settings.folder).password(LOOK)
