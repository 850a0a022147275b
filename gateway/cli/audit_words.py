"""What a row of the ledger says, in plain words. Pure; rows are told in order, because some speak of earlier ones."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from gateway.cli.wording import counted, moment
from gateway.consent import update_words

_SHOWN_OF_A_DIGEST = 12


@dataclass(frozen=True, slots=True)
class Told:
    """A row in words, and whom and which grants it is about, as far as it says so."""

    text: str
    recipients: frozenset[str] = frozenset()
    grants: frozenset[str] = frozenset()


@dataclass(slots=True)
class Teller:
    """Turns the rows of one ledger into words. `people`: whose ids they are, of those whose name is here; `boards`: the
    same of boards."""

    people: Mapping[str, str]
    timezone: str
    boards: Mapping[str, str] = field(default_factory=dict)
    _recipient_of: dict[str, str] = field(default_factory=dict)  # of a grant
    _about: dict[int, Told] = field(default_factory=dict)  # a sending, until it is known what became of it
    _notices: dict[str, Told] = field(default_factory=dict)

    def tell(self, kind: str, said: Mapping[str, Any]) -> Told:
        """A row. One that was edited may lack what it needs: then it is told as it stands."""
        how = _KINDS.get("update" if kind in update_words.VERBS else kind)
        try:
            return how(self, said) if how is not None else _plain(kind, said)
        except (AttributeError, KeyError, TypeError, ValueError):
            return _plain(kind, said)

    def _agreed(self, verb: str, said: Mapping[str, Any]) -> Told:
        grant, recipient = said["grant"], said["recipient"]
        self._recipient_of[grant] = recipient
        devices = said["devices"]
        whose = "all devices" if devices == "all" else counted(devices, "device")
        return self._of_grant(
            grant,
            f"{self._who(said)} {verb} {grant}: {recipient} may get {said['category']} ({said['granularity']}) of "
            f"{whose} for {said['purpose']}, until {moment(said['expiry_ms'], self.timezone)}"
            f"{'; explicitly, a second time' * bool(said['explicit'])}",
        )

    def _grant(self, said: Mapping[str, Any]) -> Told:
        return self._agreed("gave", said)

    def _change(self, said: Mapping[str, Any]) -> Told:
        return self._agreed(f"agreed to version {said['version']} of", said)

    def _pause(self, said: Mapping[str, Any]) -> Told:
        return self._of_grant(said["grant"], f"{self._who(said)} paused {said['grant']}{_dropped(said)}")

    def _resume(self, said: Mapping[str, Any]) -> Told:
        return self._of_grant(said["grant"], f"{self._who(said)} resumed {said['grant']}")

    def _revoke(self, said: Mapping[str, Any]) -> Told:
        return self._of_grant(said["grant"], f"{self._who(said)} revoked {said['grant']}{_dropped(said)}")

    def _sending(self, said: Mapping[str, Any]) -> Told:
        parts = [
            f"{part['events']:,} of {part['category']} under {part['grant']} version {part['version']} "
            f"({moment(part['first_ms'], self.timezone)} to {moment(part['last_ms'], self.timezone)})"
            for part in said["grants"]
        ]
        told = Told(
            f"{counted(said['events'], 'event')} to {said['recipient']} (sink {said['sink']}), "
            f"{counted(said['bytes'], 'byte')} with SHA-256 {said['body_sha256'][:_SHOWN_OF_A_DIGEST]}…: "
            f"{'; '.join(parts)}",
            frozenset({said["recipient"]}),
            frozenset(part["grant"] for part in said["grants"]),
        )
        self._about[said["n"]] = told
        return told

    def _delivered(self, said: Mapping[str, Any]) -> Told:
        return self._became(said, "has")

    def _refused(self, said: Mapping[str, Any]) -> Told:
        return self._became(said, "refused")

    def _aborted(self, said: Mapping[str, Any]) -> Told:
        about = self._about.get(said["sending"], Told(""))
        text = f"row {said['sending']} was ended while it was sent: part of it may have left"
        return Told(text, about.recipients, about.grants)

    def _became(self, said: Mapping[str, Any], verb: str) -> Told:
        about = self._about.pop(said["sending"], Told(""))
        who = ", ".join(sorted(about.recipients)) or "the recipient"
        return Told(f"{who} {verb} the {counted(said['events'], 'event')} of row {said['sending']}",
                    about.recipients, about.grants)  # fmt: skip

    def _notice(self, said: Mapping[str, Any]) -> Told:
        grant = said.get("grant")
        told = Told(
            f"{said['recipient']} is to erase {f'what came under {grant}' if grant else 'data'}: {said['reason']} "
            f"(notice {said['notice'][:_SHOWN_OF_A_DIGEST]}…)",
            frozenset({said["recipient"]}),
            frozenset({grant} if grant else ()),
        )
        self._notices[said["notice"]] = told
        return told

    def _notice_acked(self, said: Mapping[str, Any]) -> Told:
        about = self._notices.get(said["notice"], Told(""))
        who = ", ".join(sorted(about.recipients)) or "the recipient"
        text = f"{who} confirmed that it got notice {said['notice'][:_SHOWN_OF_A_DIGEST]}… (sink {said['sink']})"
        return Told(text, about.recipients, about.grants)

    def _rotate(self, said: Mapping[str, Any]) -> Told:
        recipient = said["recipient"]
        return Told(f"{recipient} knows the devices by new names from here on", frozenset({recipient}))

    def _erase(self, said: Mapping[str, Any]) -> Told:
        if "person" in said:
            what = f"a person's name and words were erased, and {counted(said['grants'], 'grant')} taken back"
        else:
            what = f"{counted(said['frames'], 'frame')} of a device were erased{', and the device' * said['forgotten']}"
        return Told(f"{what}; {counted(said['notices'], 'notice')} to recipients")

    def _person(self, said: Mapping[str, Any]) -> Told:
        who = self.people.get(said["person"], "somebody whose name was erased")
        return Told(f"{who} is {'a child' if said['role'] == 'child' else 'an adult'} of the household")

    def _local_use(self, said: Mapping[str, Any]) -> Told:
        whose = "all devices" if said["devices"] == "all" else "a device"
        return Told(f"{said['category']} of {whose} is set to {said['mode']}")

    def _update(self, said: Mapping[str, Any]) -> Told:
        return Told(update_words.told(said["kind"], said, self._who(said), self.boards))

    def _who(self, said: Mapping[str, Any]) -> str:
        by = said.get("by")
        return self.people.get(by, "somebody whose name was erased") if by else "somebody"

    def _of_grant(self, grant: str, text: str) -> Told:
        recipient = self._recipient_of.get(grant)
        return Told(text, frozenset({recipient} if recipient else ()), frozenset({grant}))


_KINDS: Mapping[str, Callable[[Teller, Mapping[str, Any]], Told]] = {
    name: getattr(Teller, f"_{name}")
    for name in (
        "grant", "change", "pause", "resume", "revoke", "sending", "delivered", "refused", "aborted", "notice",
        "notice_acked", "rotate", "erase", "person", "local_use", "update",
    )
}  # fmt: skip


def _dropped(said: Mapping[str, Any]) -> str:
    return f"; {counted(said['dropped'], 'event')} that waited went" if said.get("dropped") else ""


def _plain(kind: str, said: Mapping[str, Any]) -> Told:
    return Told(
        f"{kind}: " + ", ".join(f"{name} {value}" for name, value in said.items() if name not in ("n", "at_ms", "kind"))
    )
