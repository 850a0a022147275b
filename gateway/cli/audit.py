"""`hearthgate audit`: what left this house, and what people did, in a chain that shows every later change."""

import json
import sys
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from gateway.access import destination
from gateway.access.slices import moment
from gateway.app import settings as settings_module
from gateway.app.now import real_now_ms
from gateway.app.settings import Settings
from gateway.cli.audit_words import Teller, Told
from gateway.cli.opened import opened
from gateway.cli.wording import counted, to_the_second
from gateway.consent import audit, ledger, ledger_file, update_decisions
from gateway.consent.anchors import Anchor, anchor
from gateway.consent.evidence import signed_head
from gateway.consent.ledger import Row, Verdict
from gateway.consent.ledger_file import End, LedgerFileError
from gateway.consent.receipt import ReceiptError
from gateway.consent.signing import KEY_BYTES, SignatureError
from gateway.store.database import Database, StoreError

app = typer.Typer(
    help="The ledger: every disclosure, everything that was done with grants, and who said what to an update, in a "
    "hash chain. Verify it, read it, hand it on.",
    no_args_is_help=True,
)

_LONG = 20_000  # rows; fewer are through before a bar is drawn
_TAIL_BYTES = 1_048_576
_LOOK_BACK = 1000  # rows before those that are shown: what was sent stands there, and what became of it later

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command()
def verify(
    context: typer.Context,
    anchors: Annotated[
        list[Path] | None,
        typer.Option(
            "--anchor",
            metavar="FILE",
            help="A signed head (of `audit head`) or a signed receipt (of `consent receipt --signed`) that was kept "
            "elsewhere; may be given again. Only against one is an end that was cut off seen, or a new ledger.",
        ),
    ] = None,
    key: Annotated[
        str | None,
        typer.Option(
            metavar="HEX|FILE", help="The household's public key, for what is signed. Default: that of this database."
        ),
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option("--file", metavar="FILE", help="Verify an export of `audit export`, without any database."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Check the whole ledger. Yes, with its head; or no, with every row that was edited, removed or reordered, and exit
    status 1."""  # fmt: skip
    public = None if key is None else _public_key(key)
    if file is not None:
        verdict, held, signer = _verify_file(file, anchors or [], public)
    else:
        with _ledger(context) as (_, db):
            public = public or audit.signing_key(db).public
            signer = f"the key {public.hex()}"
            held = [_anchor(path, public) for path in anchors or []]
            total = audit.head(db).n
            with _progress(total) as seen:
                verdict = ledger.verify(seen(audit.rows(db)), [one.head for one in held])
    if as_json:
        typer.echo(json.dumps(_verdict_json(verdict)))
    else:
        _tell(verdict, held, signer)
    if not verdict.ok:
        raise typer.Exit(1)


@app.command()
def show(
    context: typer.Context,
    recipient: Annotated[str | None, typer.Option(metavar="WORD", help="Only what concerns this recipient.")] = None,
    grant: Annotated[str | None, typer.Option(metavar="GRANT", help="Only what concerns this grant.")] = None,
    since: Annotated[
        str | None, typer.Option(metavar="TIME", help="From then on: 2026-05-28, 2026-05-28T18:30, …Z or Unix seconds.")
    ] = None,
    limit: Annotated[int, typer.Option(min=0, help="The newest so many rows; 0: all.")] = 50,
    as_json: Json = False,
) -> None:
    """Show what left and what was done, in plain words, oldest first."""
    with _ledger(context) as (settings, db):
        zone = settings.timezone
        since_ms = None if since is None else moment(since, zone)
        people = dict(db.connection.execute("SELECT id, name FROM person"))
        teller = Teller(people, zone, update_decisions.board_names(db))
        found: deque[tuple[Row, Told]] = deque(maxlen=limit or None)
        newest, first = audit.head(db).n, 1
        if limit and recipient is None and grant is None and since_ms is None:
            first = max(1, newest - limit - _LOOK_BACK)
        with _progress(newest - first) as seen:
            for row in seen(audit.rows(db, first)):
                told = teller.tell(row.kind, _entry(row))
                if recipient is not None and recipient not in told.recipients:
                    continue
                if grant is not None and grant not in told.grants:
                    continue
                if since_ms is None or (isinstance(row.at_ms, int) and row.at_ms >= since_ms):
                    found.append((row, told))
    if as_json:
        typer.echo(json.dumps([_entry(row) for row, _ in found], ensure_ascii=False))
        return
    if not found:
        typer.echo("The ledger has nothing of this.")
    for row, told in found:
        at = to_the_second(row.at_ms, zone) if isinstance(row.at_ms, int) else str(row.at_ms)
        typer.echo(f"{row.n:>6}  {at}  {told.text}")


@app.command()
def export(
    context: typer.Context,
    file: Annotated[str, typer.Argument(metavar="FILE|-", help="A new file; - is standard output.")],
    force: Annotated[bool, typer.Option("--force", help="Replace the file if it is there.")] = False,
) -> None:
    """Write the ledger to a file that anybody can verify, with `audit verify --file` or without this program.

    It is JSON Lines: {n, at_ms, kind, entry, prev, hash} for each row. hash is the SHA-256 of the 32 bytes of prev and
    of the UTF-8 bytes of entry; prev is the hash of the row before, 32 zero bytes in the first (all in hex). entry is
    canonical JSON (RFC 8785) and says all that the row says. The last line is {head, signed, key}: signed is base64 of
    a COSE_Sign1 (RFC 9052, Ed25519) over the canonical JSON of head, and key the household's public key in hex, to be
    compared with what the household says it is.

    No reading, no device id and no person's name is in it.
    """
    with _ledger(context) as (_, db):
        signed, public, newest = signed_head(db, real_now_ms()), audit.signing_key(db).public, audit.head(db)
        place = destination.standard_output() if file == "-" else destination.written(Path(file), force=force)
        with place as out, _progress(newest.n) as seen:
            for line in ledger_file.lines(row for row in seen(audit.rows(db)) if row.n <= newest.n):
                out.write(line)
            out.write(ledger_file.last_line(signed, public))
    where = "standard output" if file == "-" else file
    typer.echo(f"Written: {where}. {counted(newest.n, 'row')}, signed with the key {public.hex()}.", err=True)


@app.command()
def head(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="A new file, to be kept elsewhere: by another person, or in an e-mail.")],
    force: Annotated[bool, typer.Option("--force", help="Replace the file if it is there.")] = False,
) -> None:
    """Write the ledger's head, signed: against it a later `audit verify --anchor FILE` also finds what was cut off, and
    a ledger that was written anew."""
    with _ledger(context) as (_, db):
        newest, public = audit.head(db), audit.signing_key(db).public
        document = signed_head(db, real_now_ms())
    with destination.written(file, force=force) as out:
        out.write(document)
    typer.echo(f"Written: {file}. Head {newest.n}, {newest.hash.hex()}.\nSigned with the key {public.hex()}.", err=True)


@contextmanager
def _ledger(context: typer.Context) -> Iterator[tuple[Settings, Database]]:
    """The settings and the database; one that is not there is not made, for it would verify."""
    path = settings_module.load(context.obj).store.path
    if not path.exists():
        raise StoreError(f"no database at {path}: name the settings of the gateway with --settings.")
    with opened(context) as (settings, db):
        yield settings, db


def _verify_file(file: Path, anchors: list[Path], public: bytes | None) -> tuple[Verdict, list[Anchor], str]:
    try:
        with file.open("rb") as text:
            text.seek(max(0, file.stat().st_size - _TAIL_BYTES))
            said: End = ledger_file.end((text.read().splitlines() or [b""])[-1])
            _same_key(public, said.key)
            held = [_anchor(path, public or said.key) for path in anchors]
            text.seek(0)
            with _progress(said.head.n) as seen:
                heads = [said.head, *(one.head for one in held)]
                verdict = ledger.verify(seen(ledger_file.rows(text)), heads)
    except OSError as why:
        raise LedgerFileError(f"{file}: {why.strerror or why}. Name a file of `hearthgate audit export`.") from why
    except (LedgerFileError, SignatureError) as why:
        raise LedgerFileError(f"{file}: {why}") from why
    known = "" if public is not None else ", which the file itself names: ask the household if it is theirs (--key)"
    return verdict, [Anchor(said.head, "the file's signed end"), *held], f"the key {said.key.hex()}{known}"


def _same_key(public: bytes | None, key: bytes) -> None:
    if public is not None and public != key:
        raise SignatureError(f"it is signed with another key, {key.hex()}")


def _anchor(path: Path, public: bytes) -> Anchor:
    try:
        return anchor(public, path.read_bytes())
    except OSError as why:
        raise SignatureError(f"{path}: {why.strerror or why}. Name a signed head, or a signed receipt.") from why
    except (SignatureError, ReceiptError) as why:
        raise SignatureError(f"{path}: {why}") from why


def _public_key(text: str) -> bytes:
    """From its hex digits, or a file that holds them."""
    try:
        if not text.strip().isalnum() or len(text.strip()) != 2 * KEY_BYTES:
            text = Path(text).read_text(encoding="ascii")
        public = bytes.fromhex(text.strip())
    except (OSError, ValueError):
        public = b""
    if len(public) != KEY_BYTES:
        raise SignatureError(f"--key takes {2 * KEY_BYTES} hex digits, or a file that holds them")
    return public


def _tell(verdict: Verdict, held: list[Anchor], signer: str) -> None:
    if verdict.ok:
        typer.echo(f"Yes: {counted(verdict.rows, 'row')}, none edited, removed or reordered.")
    else:
        found = counted(len(verdict.faults), "fault")
        typer.echo(f"No: {found} in {counted(verdict.rows, 'row')}.")
    for fault in verdict.faults:
        typer.echo(f"  {fault}")
    typer.echo(f"Head: {verdict.head.n}, {verdict.head.hash.hex()}")
    for one in held:
        typer.echo(f"Held against {one.what}: row {one.head.n}.")
    if held:
        typer.echo(f"What is signed was signed with {signer}.")
    else:
        typer.echo("Nothing was held against it: an end that was cut off is seen with --anchor only.")


def _verdict_json(verdict: Verdict) -> dict[str, Any]:
    return {
        "ok": verdict.ok,
        "rows": verdict.rows,
        "head": {"n": verdict.head.n, "hash": verdict.head.hash.hex()},
        "faults": [str(fault) for fault in verdict.faults],
    }


def _entry(row: Row) -> dict[str, Any]:
    try:
        said = json.loads(row.entry)
    except (ValueError, RecursionError):
        said = None
    return said if isinstance(said, dict) else {"n": row.n, "kind": row.kind, "unreadable": row.entry.hex()}


class _Seen:
    """Rows, with a bar that moves as they pass."""

    def __init__(self, total: int) -> None:
        from rich.console import Console  # noqa: PLC0415 - only a person before a long ledger needs it
        from rich.progress import Progress  # noqa: PLC0415

        self._bar = Progress(console=Console(stderr=True), transient=True)
        self._task = self._bar.add_task("rows", total=total)
        self._bar.start()

    def __call__(self, rows: Iterable[Row]) -> Iterator[Row]:
        for n, row in enumerate(rows):
            if n % 1000 == 0:
                self._bar.update(self._task, completed=n)
            yield row

    def close(self) -> None:
        """Away with it."""
        self._bar.stop()


@contextmanager
def _progress(total: int) -> Iterator[Any]:
    if total < _LONG or not sys.stderr.isatty():
        yield lambda rows: rows
        return
    seen = _Seen(total)
    try:
        yield seen
    finally:
        seen.close()
