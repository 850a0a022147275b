"""The text of Mosquitto's files: its configuration, its ACL, and a service that runs it. Pure."""

from collections.abc import Iterable
from pathlib import Path

from gateway.broker.access import DOWN, LOOK, UP
from gateway.wire import topics
from gateway.wire.cose import MAX_MESSAGE_BYTES

CONFIGURATION = "mosquitto.conf"
PASSWORDS = "passwords"
ACL = "acl"
PID = "mosquitto.pid"
SERVICE = "hearthgate-broker.service"
SERVER = "server.pem"
"""The certificate and its key in one file: a broker never finds one without the other."""

_HEAD_BYTES = 256  # of a PUBLISH, and of a CONNECT with its last will


def configuration(folder: Path, port: int, user: str) -> str:
    """mosquitto.conf. `folder` (absolute) holds the other files; `user` owns them."""
    return f"""\
# Written by `hearthgate broker setup`, which writes it again: settings of your own belong into another file.
# Needs Mosquitto 2.0.

# Only if it is started as root: who it then is. The files here belong to this user.
user {user}
pid_file {folder / PID}

# Boards keep what the gateway has not confirmed, and say again who they are whenever they connect. So nothing here
# needs to outlive a restart, and the SD card is spared.
persistence false

# While the gateway is away, what comes waits for it here, in memory. Beyond this it is dropped: the boards send again.
# Without a bound of bytes, a few thousand large frames would fill a small machine.
max_queued_messages 100000
max_queued_bytes 33554432
max_inflight_messages 200
# Nothing larger is ever read.
max_packet_size {MAX_MESSAGE_BYTES + _HEAD_BYTES}
set_tcp_nodelay true

log_dest stderr
log_type error
log_type warning
log_type notice

# Everybody has a password, and may do what the acl says.
allow_anonymous false
password_file {folder / PASSWORDS}
acl_file {folder / ACL}

listener {port}
max_connections 1000
# A second connection with the same client id ends the first and takes over what waits for it. So the id is the user's.
use_username_as_clientid true
tls_version tlsv1.2
certfile {folder / SERVER}
keyfile {folder / SERVER}
"""


def acl(gateways: Iterable[str]) -> str:
    """The ACL file: `access.may` as Mosquitto spells it. %u is the user's name, a board's own id."""
    lines = ["# Written by `hearthgate broker setup`. A board speaks under its own id only, and hears only its own."]
    lines += [f"pattern write {topics.topic('%u', what)}" for what in UP]
    lines += [f"pattern read {topics.topic('%u', what)}" for what in DOWN]
    for gateway in sorted(gateways):
        lines += ["", f"user {gateway}"]
        lines += [f"topic read {topics.topic('+', what)}" for what in UP]
        lines += [f"topic write {topics.topic('+', what)}" for what in DOWN]
    return "\n".join([*lines, "", f"user {LOOK}", f"topic read {topics.PREFIX}/#", ""])


def service(folder: Path, user: str, executable: str) -> str:
    """A systemd unit that runs Mosquitto on these files as their owner: who may then write them and tell it so."""
    return f"""\
# Written by `hearthgate broker setup`.
[Unit]
Description=MQTT broker of the household (Mosquitto, set up by Hearthgate)
After=network-online.target
Wants=network-online.target

[Service]
User={user}
ExecStart={executable} -c {folder / CONFIGURATION}
ExecReload=/bin/kill -HUP $MAINPID
Restart=always
RestartSec=2
NoNewPrivileges=true
ProtectSystem=full
PrivateTmp=true

[Install]
WantedBy=multi-user.target
"""
