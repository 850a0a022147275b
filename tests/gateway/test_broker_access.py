"""Who may write and read what, as one rule and as Mosquitto's ACL file."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.broker import mosquitto
from gateway.broker.access import GATEWAY, LOOK, Access, AccessError, check_gateway, may, may_subscribe, mqtt_password
from tests.broker_house import DEVICE, OTHER

UP, DOWN = ("birth", "up", "state", "crash", "want"), ("ack", "cmd", "update")
USERS = st.sampled_from([DEVICE, OTHER, GATEWAY, LOOK, "second-gateway"])
PARTS = st.sampled_from(["hg", "1", "2", DEVICE, OTHER, *UP, *DOWN, "+", "#", "", "x", "$SYS", "gateway", "look"])
TOPICS = st.lists(PARTS, min_size=1, max_size=5).map("/".join) | st.builds(
    lambda device, what: f"hg/1/{device}/{what}", st.sampled_from([DEVICE, OTHER]), st.sampled_from([*UP, *DOWN])
)


def test_a_password_comes_from_the_key_alone():
    assert mqtt_password(bytes(range(32))) == "882765e1845988633dff8a1e0c64927fbe73eca23e6ccbfa63981b1966b8171a"


@pytest.mark.parametrize("access", Access)
def test_a_board_has_its_own_topics_only(access: Access):
    mine = UP if access is Access.WRITE else DOWN
    for device in (DEVICE, OTHER):
        for what in (*UP, *DOWN, "other"):
            assert may(DEVICE, access, f"hg/1/{device}/{what}") == (device == DEVICE and what in mine)


def in_acl(user: str, access: Access, topic: str) -> bool:
    """What Mosquitto makes of the file that is written for it."""
    whose = ""
    for line in mosquitto.acl([GATEWAY, "second-gateway"]).splitlines():
        words = line.split()
        if not words or words[0] == "#":
            continue
        if words[0] == "user":
            whose = words[1]
        elif words[0] == "pattern" or whose == user:
            kind, right, filtered = words
            if kind == "pattern":
                filtered = filtered.replace("%u", user)
            fits = re.escape(filtered).replace(r"\+", "[^/]*").replace(r"\#", ".*")
            if right == access.value and re.fullmatch(fits, topic):
                return True
    return False


@given(USERS, st.sampled_from(Access), TOPICS)
def test_the_acl_file_says_the_same(user: str, access: Access, topic: str):
    told, meant = in_acl(user, access, topic), may(user, access, topic)
    if re.fullmatch(rf"hg/1/({DEVICE}|{OTHER})/({'|'.join([*UP, *DOWN])})", topic):
        assert told == meant
    else:  # no topic of a board: nobody listens there
        assert not meant


@given(USERS, TOPICS)
def test_what_may_be_asked_for_is_no_wider_than_what_may_be_had(user: str, topic: str):
    if may_subscribe(user, topic) and not {"+", "#"} & set(topic.split("/")):
        assert user == LOOK or may(user, Access.READ, topic)
    if user in (DEVICE, OTHER):
        assert may_subscribe(user, topic) == may(user, Access.READ, topic)


@pytest.mark.parametrize("name", ["", "look", DEVICE, "A", "a b", "a/b", "+", "#", "a" * 33, "a\n", "a:b"])
def test_a_gateway_cannot_have_every_name(name: str):
    with pytest.raises(AccessError):
        check_gateway(name)
    assert check_gateway("second-gateway") == "second-gateway"
