"""A sign-in ends: after so long, and after so long unused."""

import time
from typing import Any

import pytest
from django.contrib.auth import get_user
from django.contrib.auth.models import User
from django.contrib.sessions.backends.db import SessionStore
from django.test import Client

from calls import tasks
from calls.sign_in import sessions
from calls.sign_in.sessions import BEGAN, USED
from streaming.viewing import viewer_of
from tests.factories import UserFactory, member_of

pytestmark = [pytest.mark.database, pytest.mark.django_db]

HOUR = 3600


@pytest.fixture
def user(settings: Any) -> User:
    settings.SESSION_SECONDS, settings.SESSION_IDLE_SECONDS = 12 * HOUR, HOUR
    return member_of("operator")


@pytest.fixture
def browser(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def aged(browser: Client, began: float, used: float) -> Any:
    session = browser.session
    session[BEGAN], session[USED] = time.time() - began, time.time() - used
    session.save()
    return session


@pytest.mark.parametrize(
    ("began", "used", "is_in"),
    [(11, 0.5, True), (2, 1.1, False), (12.1, 0, False)],
    ids=["in time", "idle", "too long"],
)
def test_a_session_ends_by_age_and_by_idleness(
    user: User, browser: Client, began: float, used: float, is_in: bool
) -> None:
    session = aged(browser, began * HOUR, used * HOUR)

    assert (viewer_of(session, user.pk) is not None) == is_in
    page = browser.get("/admin/", follow=True)
    assert (page.redirect_chain == []) == is_in
    assert ("your session has run out" in page.content.decode()) != is_in


def test_a_page_that_polls_is_nobody_who_works(browser: Client) -> None:
    used = aged(browser, HOUR, HOUR / 2)[USED]

    browser.get("/alarms/badges.json", headers={"Sec-Fetch-Mode": "cors"})
    assert browser.session[USED] == used
    browser.get("/admin/", headers={"Sec-Fetch-Mode": "navigate"})
    assert browser.session[USED] > used + sessions.GRAIN_SECONDS


def test_who_is_staff_no_more_is_nobody_on_every_page(
    user: User, browser: Client
) -> None:
    assert get_user(browser) == user

    User.objects.update(is_staff=False)

    assert get_user(browser).is_anonymous


def test_signing_in_makes_a_new_key() -> None:
    UserFactory.create(username="ada")
    client = Client()
    session = client.session
    session["before"] = True
    session.save()
    client.cookies["sessionid"] = str(session.session_key)

    client.post("/admin/login/", {"username": "ada", "password": "secret"})

    assert client.session.session_key != session.session_key
    assert client.session["_auth_user_id"]


def test_beat_has_sign_ins_that_are_over_removed(
    browser: Client, settings: Any
) -> None:
    over = SessionStore()
    over.set_expiry(-1)
    over.save()
    due = {entry["task"] for entry in settings.CELERY_BEAT_SCHEDULE.values()}

    assert tasks.clear_sessions.name in due
    tasks.clear_sessions.apply(throw=True)

    assert not over.exists(str(over.session_key))
    assert over.exists(str(browser.session.session_key))
