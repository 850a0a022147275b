"""What must hold at the moment in which somebody gives, changes or resumes a grant: asked there, and only there.

A record that was given before a word was taken from the vocabulary, or made stricter, is still read and still shown.
"""

from collections.abc import Sequence

from gateway.consent.grants import Grant, GrantError
from gateway.consent.people import Person, check_person
from gateway.consent.vocabulary import Vocabulary


def check_giving(grants: Sequence[Grant], person: Person, vocabulary: Vocabulary) -> None:
    """Everything at once, for one act of `person`: one grant, or a bundle of them. Raises GrantError."""
    for grant in grants:
        if grant.subject != person.name:
            raise GrantError(f"{grant.id} says that {grant.subject} agrees, and it is given by {person.name}")
        check_words(grant, vocabulary)
        check_person(grant, person, vocabulary)
    check_bundle(grants, vocabulary)


def check_words(grant: Grant, vocabulary: Vocabulary) -> None:
    """Whether the vocabulary has the grant's words, and a sensitive category its second yes. Raises GrantError."""
    for what, word, known in (
        ("recipient", grant.recipient, vocabulary.recipients),
        ("category", grant.category, vocabulary.categories),
        ("purpose", grant.purpose, vocabulary.purposes),
        ("granularity", grant.granularity.value, vocabulary.granularities),
    ):
        if word not in known:
            raise GrantError(
                f"{what} is {word!r}; it must be one of {', '.join(known)}, "
                "or a word that [vocabulary] of the settings adds with a sentence"
            )
    if grant.category in vocabulary.sensitive and not grant.explicit:
        raise GrantError(
            f"{grant.category} ({vocabulary.categories[grant.category]}) is sensitive: "
            "it takes a second, explicit yes to this one thing"
        )


def check_bundle(grants: Sequence[Grant], vocabulary: Vocabulary) -> None:
    """Whether these may be agreed to in one act: a sensitive category is always asked for alone. Raises GrantError."""
    if len({grant.id for grant in grants}) != len(grants):
        raise GrantError("a bundle holds a grant twice")
    sensitive = [grant.category for grant in grants if grant.category in vocabulary.sensitive]
    if sensitive and len(grants) > 1:
        raise GrantError(f"{sensitive[0]} is sensitive and cannot be one of a bundle: ask for it alone")
