"""A command beside a running gateway: the gateway has the database for itself, and lends it while the command works.

The two speak over a Unix socket beside the database, in lines of JSON, the gateway first:
  {"ready": true}     the database may be opened (or {"error": "a sentence"})
  {"changed": true}   the command has closed it, and whether it changed anything
  {"done": true}      the gateway has taken that over
In between a command may ask for a serial port, which the gateway then leaves alone until the command goes:
  {"port": "…"}       the port
  {"released": true, "heard": ["…"]}  whether the gateway had it, and the boards that it heard there until now
A command that goes without a word, because it was killed, has given it back too.
"""

import json
import os
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from gateway.store.database import StoreError

MAX_LINE = 4096
_READY_S = 15.0  # the gateway may be in the midst of a commit, on a slow card
_DONE_S = 30.0
_ADDRESS_BYTES = 100  # an AF_UNIX address has 108


class Loan:
    """What the command says when it gives the database back."""

    changed = False


def socket_path(database: Path) -> Path:
    """Where the gateway that runs on a database listens."""
    database = database.resolve()  # by whatever name it is called
    return database.with_name(database.name + ".sock")


@contextmanager
def address(path: Path) -> Iterator[str]:
    """An address for a socket file at any path: a long one goes by its folder's number."""
    if len(os.fsencode(path)) <= _ADDRESS_BYTES:
        yield str(path)
        return
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)


@contextmanager
def borrowed(database: Path) -> Iterator[Loan]:
    """The database may be opened inside, and is closed again before the end. Where no gateway runs, nothing is asked.

    Raises StoreError if the gateway does not lend it, or does not say that it has taken over what was changed.
    """
    loan = Loan()
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as link:
        asked = _ask(link, database)
        yield loan
        if asked:
            _give_back(link, database, loan)


@contextmanager
def borrowed_port(database: Path, port: str) -> Iterator[tuple[str, ...] | None]:
    """Inside, the gateway that runs on a database leaves a serial port alone (serial_port.place() names it). Gives the
    devices that it heard there until now; None if it does not listen there. Raises StoreError if it does not answer."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as link:
        answer = None
        if asked := _ask(link, database):
            with suppress(OSError):  # whoever does not answer lends nothing
                link.sendall(json.dumps({"port": port}).encode() + b"\n")
                answer = _answer(link)
        yield _heard(answer) if answer and answer.get("released") else None
        if asked and answer is not None:
            _give_back(link, database, Loan())


def _heard(answer: Mapping[str, object]) -> tuple[str, ...]:
    heard = answer.get("heard")  # an earlier gateway does not say it
    return tuple(map(str, heard)) if isinstance(heard, list) else ()


def _ask(link: socket.socket, database: Path) -> bool:
    """False if no gateway runs."""
    try:
        link.settimeout(_READY_S)
        with address(socket_path(database)) as where:
            link.connect(where)
        answer = _answer(link)
    except (FileNotFoundError, ConnectionError):  # none runs, or it has just ended
        return False
    except OSError as why:
        raise StoreError(
            f"the gateway that runs on {database} cannot be asked for it ({why or 'no answer'}). Use the gateway's own "
            "user; if that is so, stop the gateway and try again."
        ) from why
    if answer is not None and "ready" not in answer:
        raise StoreError(f"the gateway that runs on {database} cannot lend it: {answer.get('error', 'no reason')}")
    return answer is not None


def _give_back(link: socket.socket, database: Path, loan: Loan) -> None:
    link.settimeout(_DONE_S)
    answer = None
    # A gateway that has ended meanwhile sees every change when it starts.
    with suppress(ConnectionError):
        try:
            link.sendall(json.dumps({"changed": loan.changed}).encode() + b"\n")
            answer = _answer(link)
        except TimeoutError:
            answer = {"error": "it does not answer"}
    if answer and "error" in answer:
        raise StoreError(
            f"the change is in {database}, but the gateway has not taken it over: {answer['error']}. Start the gateway "
            "again, and it holds."
        )


def _answer(link: socket.socket) -> dict[str, object] | None:
    """The next line; None at the end. Raises OSError."""
    line = b""
    while not line.endswith(b"\n"):
        piece = link.recv(MAX_LINE)
        if not piece:
            return None
        line += piece
        if len(line) > MAX_LINE:
            raise OSError("it says too much")
    try:
        said = json.loads(line)
    except ValueError:
        raise OSError("it does not speak as a gateway does") from None
    return said if isinstance(said, dict) else {}
