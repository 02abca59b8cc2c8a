"""Who opened a browser's socket may look on only while they are signed in."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.db import DatabaseError, InterfaceError
from django.test import Client
from django.utils import timezone

from streaming.viewing import may_go_on, viewer_of
from tests.factories import member_of

pytestmark = [pytest.mark.database, pytest.mark.django_db]


@pytest.fixture
def user() -> User:
    return member_of("operator")


@pytest.fixture
def session(user: User) -> Any:
    client = Client()
    client.force_login(user)
    return client.session


def test_knows_who_is_signed_in(user: User, session: Any) -> None:
    assert viewer_of(session, user.pk) == user


def test_a_new_password_ends_the_old_sessions(user: User, session: Any) -> None:
    user.set_password("another one")
    user.save()

    assert viewer_of(session, user.pk) is None


def test_a_session_ends_when_it_runs_out(user: User, session: Any) -> None:
    Session.objects.update(expire_date=timezone.now() - timedelta(seconds=1))

    assert viewer_of(session, user.pk) is None


def test_a_session_that_was_signed_out_is_nobodys(user: User, session: Any) -> None:
    Session.objects.all().delete()

    assert viewer_of(session, user.pk) is None


@pytest.mark.parametrize("status", ["is_active", "is_staff"])
def test_who_is_active_staff_no_more_looks_no_more(
    user: User, session: Any, status: str
) -> None:
    User.objects.update(**{status: False})

    assert viewer_of(session, user.pk) is None


def test_nobody_is_no_viewer(session: Any) -> None:
    assert viewer_of(session, None) is None


@pytest.mark.parametrize("fault", [DatabaseError, InterfaceError])
async def test_who_looks_goes_on_while_the_database_is_down(
    fault: type[Exception],
) -> None:
    async def fails() -> bool:
        raise fault

    async def refuses() -> bool:
        return False

    assert await may_go_on(fails)
    assert not await may_go_on(refuses)


async def test_nobody_gains_a_right_while_the_database_is_down() -> None:
    async def fails() -> bool:
        raise DatabaseError

    assert not await may_go_on(fails, before=False)
