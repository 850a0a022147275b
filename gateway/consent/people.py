"""The people of a household: who may agree to what."""

from dataclasses import dataclass
from enum import StrEnum

from gateway.consent.grants import Grant, GrantError
from gateway.consent.vocabulary import Vocabulary

MAX_NAME = 64


class Role(StrEnum):
    """What a person is in the household."""

    ADULT = "adult"
    CHILD = "child"


@dataclass(frozen=True, slots=True)
class Person:
    """One of the household, by the name that grants say in `subject`. Whom nobody has called a child is an adult.

    Raises GrantError for a name that cannot be.
    """

    name: str
    role: Role = Role.ADULT

    def __post_init__(self) -> None:
        if not self.name.strip() or len(self.name) > MAX_NAME or not self.name.isprintable():
            raise GrantError(f"a person's name is one line of up to {MAX_NAME} characters")


def check_person(grant: Grant, person: Person, vocabulary: Vocabulary) -> None:
    """Whether `person` may give `grant`, change into it or resume it: a child may not where the purpose is for adults
    (marketing). Taking back and pausing ask nobody's age. Raises GrantError."""
    if person.role is Role.CHILD and grant.purpose in vocabulary.adults_only:
        raise GrantError(f"{person.name} is a child of this household, and only an adult can agree to {grant.purpose}")
