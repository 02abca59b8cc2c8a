"""Who guesses has to wait; who waits learns nothing; and nobody waits for ever."""

from contextlib import ExitStack
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.contrib.auth.signals import user_login_failed
from django.test import Client
from django.utils import timezone

from calls.models import AuditEntry
from calls.sign_in.lockout import LONGEST_WAIT, SOURCE_TRIES, trying, wait_for
from tests.console.conftest import logged_in
from tests.factories import UserFactory, member_of

pytestmark = [pytest.mark.database, pytest.mark.django_db]

WRONG = "wrong"
WAITS = "Too many attempts"


@pytest.fixture
def ada(settings: Any) -> User:
    settings.SIGN_IN_TRIES = 3
    user: User = UserFactory.create(username="ada")
    return user


def tries(name: str, password: str = WRONG, address: str = "10.0.0.1") -> Any:
    form = {"username": name, "password": password}
    return Client().post("/admin/login/", form, REMOTE_ADDR=address)


def words(answer: Any) -> str:
    return str(answer.context["form"].non_field_errors())


def test_who_failed_too_often_waits_even_with_the_right_password(ada: User) -> None:
    for _ in range(3):
        assert WAITS not in words(tries("ada"))

    assert WAITS in words(tries("ada", "secret"))
    assert tries("ada", "secret", address="10.0.0.2").status_code == 302


def test_a_name_that_nobody_has_is_treated_as_any_other(ada: User) -> None:
    said = [[words(tries(name)) for _ in range(5)] for name in ("ada", "nobody")]

    assert said[0] == said[1]


def test_a_lock_opens_by_itself_and_closes_for_longer_each_time(ada: User) -> None:
    for _ in range(3):
        tries("ada")
    now = timezone.now()
    first = wait_for("ada", "10.0.0.1", now=now)

    assert timedelta(seconds=25) < first <= timedelta(seconds=30)
    assert not wait_for("ada", "10.0.0.1", now=now + first)
    for _ in range(6):
        AuditEntry.objects.create(
            action="sign_in_failed", actor="ada", address="10.0.0.1"
        )
    last = AuditEntry.objects.order_by("-at")[0].at
    assert wait_for("ada", "10.0.0.1", now=last) == LONGEST_WAIT


def test_tries_while_locked_lengthen_nothing_and_are_noted_once(ada: User) -> None:
    for _ in range(9):
        tries("ada")

    failed = AuditEntry.objects.filter(action="sign_in_failed")
    assert [row.details for row in failed.order_by("id")] == [{}] * 3 + [
        {"locked": True}
    ]
    assert wait_for("ada", "10.0.0.1") <= timedelta(seconds=30)


def test_who_came_in_starts_anew(ada: User) -> None:
    for _ in range(2):
        tries("ada")
    assert tries("ada", "secret").status_code == 302
    for _ in range(2):
        tries("ada")

    assert not wait_for("ada", "10.0.0.1")


def test_an_administrator_unlocks(ada: User) -> None:
    for _ in range(3):
        tries("ada")

    logged_in(member_of("administrator")).post(
        "/admin/auth/user/",
        {"action": "sign_in_unlock", "_selected_action": [str(ada.pk)]},
    )

    assert tries("ada", "secret").status_code == 302
    noted = AuditEntry.objects.get(action="user_changed")
    assert (noted.details, noted.object_title) == ({"how": "unlocked"}, "ada")


def test_the_addresses_of_one_ipv6_network_are_one_source(ada: User) -> None:
    for host in ("::1", "::2", ":a:b:c:d"):
        tries("ada", address=f"2001:db8:0:1{host}")

    assert WAITS in words(tries("ada", "secret", "2001:db8:0:1:1::"))
    assert WAITS in words(tries("ada", "secret", "2001:db8:0:1:2::"))
    assert not wait_for("ada", "2001:db8:0:2::1")
    assert AuditEntry.objects.filter(details={"locked": True}).count() == 1


def test_a_source_that_fails_under_many_names_waits_under_any(ada: User) -> None:
    for number in range(3 * SOURCE_TRIES):
        AuditEntry.objects.create(
            action="sign_in_failed", actor=f"name{number}", address="10.0.0.1"
        )

    assert WAITS in words(tries("ada", "secret"))
    assert WAITS in words(tries("another name"))
    assert not wait_for("ada", "10.0.0.2")
    # A new name at each try writes nothing.
    assert AuditEntry.objects.filter(details={"locked": True}).count() == 1


def test_tries_at_the_same_time_count_before_their_outcome_is_known(ada: User) -> None:
    with ExitStack() as others:
        for _ in range(3):
            others.enter_context(trying("ada", "10.0.0.1"))
        assert WAITS in words(tries("ada", "secret"))

    assert tries("ada", "secret").status_code == 302


def test_a_try_counts_until_its_failure_is_on_the_log(ada: User, settings: Any) -> None:
    settings.SIGN_IN_TRIES, seen = 2, []

    def look(**_: Any) -> None:
        with trying("ada", "10.0.0.1"):
            seen.append(bool(wait_for("ada", "10.0.0.1")))

    user_login_failed.connect(look)
    try:
        tries(" ada ")
    finally:
        user_login_failed.disconnect(look)

    # One on the log, and one that is still at it.
    assert seen == [True]
    assert not wait_for("ada", "10.0.0.1")


def test_names_without_a_password_that_counts_do_not_fill_the_log(
    ada: User, settings: Any
) -> None:
    settings.SSO_ONLY = True

    for _ in range(9):
        tries("ada", "secret")

    assert AuditEntry.objects.filter(action="sign_in_failed").count() == 3 + 1
