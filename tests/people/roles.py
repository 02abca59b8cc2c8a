"""Everybody who may come to the console: nobody, a stranger, six roles, a superuser."""

from collections.abc import Mapping
from typing import Final

from django.contrib.auth.models import Group, User
from django.test import Client

from calls.groups import RIGHTS, role_has
from tests.factories import UserFactory
from tests.people.rules import MACHINE, NOBODY, OWNER, PUBLIC, STAFF

ANONYMOUS, STRANGER, ROOT = "anonymous", "staff without a role", "superuser"
WHO: Final = (ANONYMOUS, STRANGER, *RIGHTS, ROOT)


def sessions_make() -> Mapping[str, str]:
    """Sign everybody in; return the key of each one's session. Nobody has none."""
    return {who: _session(who) for who in WHO if who != ANONYMOUS}


def _session(who: str) -> str:
    user: User = UserFactory.create(username=who, is_superuser=who == ROOT)
    if who in RIGHTS:
        user.groups.add(Group.objects.get(name=who))
    client = Client()
    client.force_login(user)
    return client.cookies["sessionid"].value


def may(who: str, right: str) -> bool:
    """Say whether somebody may do what needs `right`, by the table of roles."""
    if right in (PUBLIC, MACHINE):
        return True
    if right == NOBODY or who == ANONYMOUS:
        return False
    if who == ROOT or right == STAFF:
        return True
    if right == OWNER:
        return False
    return any(
        all(who in RIGHTS and role_has(who, one) for one in way.split())
        for way in right.split(" | ")
    )
