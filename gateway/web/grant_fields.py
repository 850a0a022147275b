"""The fields of the form that gives or changes a grant, and what is chosen in them."""

from gateway.consent.grants import ANY_DEVICE, Grant, GrantError
from gateway.consent.hours import DAY_NAMES, Hours, clock
from gateway.consent.people import MAX_NAME, Person, Role
from gateway.consent.vocabulary import Granularity
from gateway.web import draft, words
from gateway.web.consent_view import SharingView, recipient_name, recipient_words
from gateway.web.live import Live
from gateway.web.parts import Box, Choice, Entry, Handler, Moment, Radio, Text, Tick, Ticks

_DAYS = {"30": "For a month", "90": "For three months", "365": "For a year", "730": "For two years"}
_KEEP = "keep"
_SEVERAL = "several"
_NEW = "new"
_BEGINNINGS = {
    "now": "What is measured from now on",
    "later": "What is measured from a later time on",
    "back": "Also what was measured before",
}
_TIMES = {"any": "At any time", "some": "Only what is measured at certain hours or days"}
_DAY_MS = 86_400_000
_EVERYTHING = "all appliances, also later ones"
ROLES = {Role.ADULT.value: "an adult", Role.CHILD.value: "a child"}


class GrantFields:
    """The fields, filled in with `grant` where that is to be changed. `changed` is called after every choice."""

    def __init__(self, live: Live, view: SharingView, grant: Grant | None, changed: Handler) -> None:
        self._live = live
        self._view = view
        self._grant = grant
        self._changed = changed
        if grant is None:
            self._what()
        self._how()
        self._when()
        self._who()
        self.update(view)

    def update(self, view: SharingView) -> None:
        """Offer what the household has now."""
        self._view = view
        if self._grant is None:
            self._category.offer(self._categories())
        self._device.offer(self._devices())
        self._several.offer(self._named())
        self._subject.offer(self._people())

    def show(self) -> None:
        """Show the fields that the choices ask for, and no others."""
        if self._grant is None:
            self._purpose.offer(self._purposes())
            self._about.say(recipient_words(self._live.vocabulary, self._recipient.value))
        self._several_box.set_visibility(self._device.value == _SEVERAL)
        self._hours_box.set_visibility(self._time.value == "some")
        self._later_box.set_visibility(self._begin.value == "later")
        self._back_box.set_visibility(self._begin.value == "back")
        self._new_box.set_visibility(self._subject.value == _NEW)
        self._explicit_box.set_visibility(self.category in self._live.vocabulary.sensitive)
        if self._about_what() != self._asked:
            self._ask_again()

    @property
    def category(self) -> str:
        """What is to be shared."""
        return self._category.value if self._grant is None else self._grant.category

    def choices(self) -> draft.Choices:
        """What is chosen. Raises GrantError with what is missing, in words; a name may be."""
        begin = self._begin.value
        start_ms = since_ms = None
        if begin == "later":
            start_ms = draft.local_ms(self._later.value, self._live.zone, "from when on it may be sent")
        if begin == "back":
            since_ms = draft.local_ms(self._back.value, self._live.zone, "from when on it was measured")
            if since_ms > self._live.now_ms:
                raise GrantError("what was measured before begins in the past; or choose a later time on")
        grant = self._grant
        return draft.Choices(
            person=self.person,
            recipient=self._recipient.value if grant is None else grant.recipient,
            purpose=self._purpose.value if grant is None else grant.purpose,
            category=self.category,
            devices=self._chosen_devices(),
            granularity=Granularity(self._granularity.value),
            hours=self._chosen_hours(),
            start_ms=start_ms,
            since_ms=since_ms,
            days=None if self._days.value == _KEEP else int(self._days.value),
            explicit=self._explicit.value and self.category in self._live.vocabulary.sensitive,
            keep_times=begin == _KEEP,
        )

    @property
    def person(self) -> Person | None:
        """Who agrees; None until they are named. Whom the household knows is what it says they are."""
        known = {person.name: person for person in self._view.people}
        if self._subject.value != _NEW:
            name = self._subject.value.removeprefix("=")
            return known.get(name, Person(name)) if name else None
        if not self._name.value:
            return None
        return known.get(self._name.value) or Person(self._name.value, Role(self._role.value))

    def _what(self) -> None:
        recipients = {
            name: recipient_name(self._live.vocabulary, name)
            for name in sorted({sink.recipient for sink in self._live.gateway.settings.sinks})
        }
        with Box("div", "two"):
            with Box("div", "field"):
                self._recipient = Choice(
                    "Who may get it?", "recipient", recipients, next(iter(recipients)), self._changed
                )
                self._about = Text("p", css="soft small under")
            purposes = self._purposes()
            self._purpose = Choice("Why?", "purpose", purposes, next(iter(purposes), ""), self._changed)
        self._category = Choice("What?", "category", self._categories(), "temperature", self._changed)

    def _how(self) -> None:
        grant, vocabulary = self._grant, self._live.vocabulary
        several = () if grant is None or len(grant.devices) == 1 else grant.devices
        device = _SEVERAL if several else ANY_DEVICE if grant is None else grant.devices[0]
        self._device = Choice("Of which appliance?", "device", self._devices(), device, self._changed)
        self._several_box = Box("div")
        with self._several_box:
            self._several = Ticks("Of these", "devices", self._named(), several, self._changed)
        granularities = sorted(map(Granularity, vocabulary.granularities), key=lambda g: g.fineness, reverse=True)
        finely = {g.value: words.sentence(vocabulary.granularities[g.value]) for g in granularities}
        chosen = Granularity.DAY if grant is None else grant.granularity
        if chosen.value not in finely:
            finely[chosen.value] = chosen.value
        self._granularity = Radio("How finely?", "granularity", finely, chosen.value, self._changed)

    def _when(self) -> None:
        grant, now_ms, zone = self._grant, self._live.now_ms, self._live.zone
        hours = None if grant is None else grant.hours
        self._time = Radio("When?", "time", _TIMES, "any" if hours is None else "some", self._changed)
        self._hours_box = Box("div", "inset")
        with self._hours_box:
            with Box("div", "two"):
                start, end = (8 * 60, 20 * 60) if hours is None else (hours.start_min, hours.end_min)
                self._from = Moment("From", "from", "time", clock(start), self._changed)
                self._to = Moment("To", "to", "time", clock(end % 1440), self._changed)
            days = range(7) if hours is None or hours.days is None else hours.days
            names = {str(day): name for day, name in enumerate(DAY_NAMES)}
            self._weekdays = Ticks("On these days", "weekdays", names, [str(day) for day in days], self._changed)
        keep_times = {} if grant is None else {_KEEP: "As it was agreed before"}
        keep_end = {} if grant is None else {_KEEP: f"Until {words.date(grant.expiry_ms - 1, zone)}, as agreed before"}
        with Box("div", "two"):
            with Box("div"):
                begin = "now" if grant is None else _KEEP
                self._begin = Choice("Which readings?", "begin", keep_times | _BEGINNINGS, begin, self._changed)
                self._later_box, self._back_box = Box("div", "inset"), Box("div", "inset")
                with self._later_box:
                    tomorrow = draft.local_text(now_ms + _DAY_MS, zone)
                    self._later = Moment("From when on?", "start", "datetime-local", tomorrow, self._changed)
                with self._back_box:
                    week_ago = draft.local_text(now_ms - 7 * _DAY_MS, zone)
                    self._back = Moment("Measured since when?", "since", "datetime-local", week_ago, self._changed)
            days_ = "90" if grant is None else _KEEP
            self._days = Choice("How long?", "days", keep_end | _DAYS, days_, self._changed)

    def _who(self) -> None:
        with Box("div", "two"):
            people = self._people()
            first = next(iter(people)) if self._grant is None else f"={self._grant.subject}"
            self._subject = Choice("Who agrees?", "who", people, first, self._changed)
            self._new_box = Box("div")
            with self._new_box:
                self._name = Entry("Your name", "subject", MAX_NAME, self._changed)
                self._role = Choice("You are", "role", ROLES, Role.ADULT.value, self._changed)
        self._explicit_box = Box("div", "sensitive")
        self._ask_again()

    def _about_what(self) -> tuple[str, ...]:
        """What a second yes is said to: to something else it has to be said anew."""
        chosen = () if self._grant is not None else (self._recipient.value, self._purpose.value)
        return (self.category, *chosen)

    def _ask_again(self) -> None:
        self._asked = self._about_what()
        self._explicit_box.clear()
        with self._explicit_box:
            Text("p", "This is sensitive. It takes a second yes, to this one thing alone:", "label")
            self._explicit = Tick(
                "Yes, I know that this tells something personal, and I want to share it all the same.",
                "explicit",
                self._changed,
            )

    def _chosen_devices(self) -> tuple[str, ...]:
        if self._device.value != _SEVERAL:
            return (self._device.value,)
        if not self._several.value:
            raise GrantError("choose at least one appliance")
        return self._several.value

    def _chosen_hours(self) -> Hours | None:
        if self._time.value == "any":
            return None
        days = tuple(int(day) for day in self._weekdays.value)
        if not days:
            raise GrantError("choose at least one day of the week")
        start = draft.minute_of(self._from.value, "from when")
        # 00:00 as the end is midnight, the end of the day, as people say it.
        end = draft.minute_of(self._to.value, "until when") or 1440
        return Hours(start, end, str(self._live.zone), None if len(days) == 7 else days)

    def _purposes(self) -> dict[str, str]:
        chosen = self._recipient.value
        offered = {p for s in self._live.gateway.settings.sinks if s.recipient == chosen for p in s.purposes}
        return {p: words.sentence(text) for p, text in self._live.vocabulary.purposes.items() if p in offered}

    def _categories(self) -> dict[str, str]:
        every = self._live.vocabulary.categories
        known = self._view.categories & set(every)
        return {c: words.sentence(text) for c, text in every.items() if not known or c in known}

    def _devices(self) -> dict[str, str]:
        several = {_SEVERAL: "Several of them"} if len(self._named()) > 1 else {}
        return {ANY_DEVICE: words.sentence(_EVERYTHING)} | self._named() | several

    def _named(self) -> dict[str, str]:
        agreed = () if self._grant is None else self._grant.devices
        return {device: device for device in agreed if device != ANY_DEVICE} | self._view.names

    def _people(self) -> dict[str, str]:
        """Everybody by name. A name is marked, so that nobody's is taken for the last choice."""
        names = [person.name for person in self._view.people]
        if self._grant is not None and self._grant.subject not in names:
            names.append(self._grant.subject)
        ask = {"": "Please choose"} if len(names) > 1 and self._grant is None else {}
        return ask | {f"={name}": name for name in names} | {_NEW: "Somebody else" if names else "Somebody new"}
