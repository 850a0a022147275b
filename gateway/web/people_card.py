"""Who belongs to the household, and who of them is a child: a child cannot agree to everything."""

from collections.abc import Awaitable, Callable
from functools import partial

from gateway.consent.grants import GrantError
from gateway.consent.people import MAX_NAME, Person, Role
from gateway.web.consent_view import SharingView
from gateway.web.grant_fields import ROLES
from gateway.web.live import Live
from gateway.web.parts import Box, Button, Choice, Entry, Text


class PeopleCard:
    """The people, and a line to add one. `after` is called when somebody was added or changed."""

    def __init__(self, live: Live) -> None:
        self._live = live
        self._shown: object = None
        self.after: Callable[[], Awaitable[None]] = self._typed
        with Box("section", "card", aria_label="People"):
            Text("h2", "Who lives here")
            Text("p", "Whatever is shared says who agreed to it. A child cannot agree to marketing.", "soft")
            self._list = Box("ul", "lines")
            with Box("details"):
                Text("summary", "Add somebody")
                self._form = Box("div", "add")
            self._said = Text("p", css="said", role="status")
        self._build()

    def update(self, view: SharingView) -> None:
        """Show who is there now."""
        if view.people == self._shown:
            return
        self._shown = view.people
        self._list.clear()
        with self._list:
            for person in view.people:
                with Box("li", "split person"):
                    Text("span", person.name)
                    chosen = _Role(person, self._put)
                    chosen.choice = Choice(f"{person.name} is", "person", ROLES, person.role.value, chosen.changed)

    def _build(self) -> None:
        self._form.clear()
        with self._form:
            self._name = Entry("Name", "name", MAX_NAME, self._typed)
            self._role = Choice("Is", "new-role", ROLES, Role.ADULT.value, self._typed)
            Button("Add", self._add)

    async def _add(self) -> None:
        if not self._name.value:
            self._say("Please write a name first.", bad=True)
            return
        if await self._put(self._name.value, self._role.value):
            self._build()

    async def _put(self, name: str, role: str) -> bool:
        try:
            await self._live.put_person(Person(name, Role(role)))
        except GrantError as why:
            self._say(f"{why}.", bad=True)
            return False
        self._say(f"{name} is {ROLES[role]} of this household.")
        await self.after()
        return True

    def _say(self, text: str, *, bad: bool = False) -> None:
        self._said.classes(add="bad-word" if bad else "", remove="" if bad else "bad-word")
        self._said.say(text)

    async def _typed(self) -> None:
        """It is read when the button is pressed."""


class _Role:
    """What one person is."""

    def __init__(self, person: Person, put: Callable[[str, str], Awaitable[bool]]) -> None:
        self.choice: Choice
        self._put = partial(put, person.name)

    async def changed(self) -> None:
        await self._put(self.choice.value)
