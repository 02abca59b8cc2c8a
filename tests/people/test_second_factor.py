"""A code beside the password: who needs one, what it takes, how one gets rid of it."""

import time
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone
from django_otp.oath import TOTP
from django_otp.plugins.otp_static.models import StaticDevice, StaticToken
from django_otp.plugins.otp_totp.models import TOTPDevice

from calls.models import AuditEntry
from calls.sign_in import pending, second_factor
from tests.console.conftest import logged_in
from tests.factories import UserFactory, member_of

pytestmark = [pytest.mark.database, pytest.mark.django_db]

HOUR = timedelta(hours=1)
CODE, ENROL = "/admin/login/code/", "/admin/login/enrol/"


def shown_by(app: TOTPDevice, steps: int = 0) -> str:
    """What the app on the phone shows, or will show."""
    totp = TOTP(app.bin_key, app.step, app.t0, app.digits)
    totp.time = time.time() + steps * app.step
    return f"{totp.token():06}"


def patient() -> None:
    """As if the seconds had passed that a wrong code costs."""
    for devices in (TOTPDevice.objects, StaticDevice.objects):
        devices.update(throttling_failure_count=0, throttling_failure_timestamp=None)


@pytest.fixture
def ada() -> User:
    user: User = UserFactory.create(username="ada")
    user.groups.set(member_of("administrator").groups.all())
    return user


@pytest.fixture
def codes(ada: User) -> list[str]:
    draft = second_factor.draft_of(ada, None)
    found = second_factor.confirm(draft, shown_by(draft))
    assert found
    # The code of this half minute is spent.
    TOTPDevice.objects.update(last_t=-1)
    return found


def with_password(client: Client) -> Any:
    form = {"username": "ada", "password": "secret"}
    return client.post("/admin/login/?next=/admin/inbox/", form)


def sent_to(client: Client) -> str:
    """Where one is led who wants to type a code."""
    answer: Any = client.get(CODE)
    url: str = answer.url
    return url


def is_in(client: Client) -> bool:
    return client.get("/admin/").status_code == 200


@pytest.mark.usefixtures("codes")
def test_the_password_alone_opens_nothing_and_the_code_everything() -> None:
    client = Client()
    assert with_password(client).url == CODE
    assert not is_in(client)

    wrong = client.post(CODE, {"code": "000000"})
    assert "not right" in wrong.content.decode()
    assert not is_in(client)
    patient()
    key = client.session.session_key
    code = shown_by(TOTPDevice.objects.get())
    right: Any = client.post(CODE, {"code": code})

    assert right.url == "/admin/inbox/"
    assert is_in(client)
    assert client.session.session_key != key
    actions = AuditEntry.objects.order_by("id").values_list("action", flat=True)
    assert list(actions) == ["sign_in_failed", "signed_in"]


@pytest.mark.usefixtures("codes")
def test_a_code_is_good_once() -> None:
    code = shown_by(TOTPDevice.objects.get())
    for expected in (True, False):
        client = Client()
        with_password(client)
        client.post(CODE, {"code": code})
        assert is_in(client) == expected


def test_a_recovery_code_is_good_once_and_stored_as_a_hash(codes: list[str]) -> None:
    spelt = f" {codes[0].upper()} "
    for expected in (True, False):
        client = Client()
        with_password(client)
        client.post(CODE, {"code": spelt})
        assert is_in(client) == expected
    stored = set(StaticToken.objects.values_list("token", flat=True))
    assert len(stored) == len(codes) - 1
    assert not stored & {code.replace("-", "") for code in codes}
    noted = AuditEntry.objects.get(action="user_changed")
    assert (noted.actor, noted.details) == ("ada", {"how": "recovery code used"})


@pytest.mark.usefixtures("codes")
def test_who_guesses_codes_waits_like_who_guesses_passwords(settings: Any) -> None:
    settings.SIGN_IN_TRIES = 2
    client = Client()
    with_password(client)
    for _ in range(2):
        client.post(CODE, {"code": "000000"})
        patient()

    locked = client.post(CODE, {"code": shown_by(TOTPDevice.objects.get())})

    assert "Too many attempts" in locked.content.decode()
    assert not is_in(client)


@pytest.mark.usefixtures("codes")
def test_who_types_a_code_too_soon_is_told_to_wait_and_has_not_failed() -> None:
    client = Client()
    with_password(client)
    client.post(CODE, {"code": "000000"})
    TOTPDevice.objects.update(throttling_failure_timestamp=timezone.now() + HOUR)

    early = client.post(CODE, {"code": shown_by(TOTPDevice.objects.get())})

    assert "Too many attempts" in early.content.decode()
    failed = AuditEntry.objects.get(action="sign_in_failed")
    # The password was right, and the auditor can see that it was.
    assert failed.details == {"step": "code"}


def test_wrong_codes_keep_an_owner_out_for_minutes_not_for_years(
    ada: User, codes: list[str]
) -> None:
    long_ago = timezone.now() - timedelta(minutes=15)
    wrong = {"throttling_failure_count": 60, "throttling_failure_timestamp": long_ago}
    for devices in (TOTPDevice.objects, StaticDevice.objects):
        devices.update(**wrong)

    assert second_factor.accepts(ada, shown_by(TOTPDevice.objects.get()))
    assert second_factor.accepts(ada, codes[0])


def test_unlocking_lets_codes_be_tried_at_once(ada: User, codes: list[str]) -> None:
    wrong = {
        "throttling_failure_count": 10,
        "throttling_failure_timestamp": timezone.now(),
    }
    for devices in (TOTPDevice.objects, StaticDevice.objects):
        devices.update(**wrong)
    with pytest.raises(second_factor.MustWaitError):
        second_factor.accepts(ada, codes[0])

    logged_in(member_of("administrator")).post(
        "/admin/auth/user/",
        {"action": "sign_in_unlock", "_selected_action": [str(ada.pk)]},
    )

    assert second_factor.accepts(ada, shown_by(TOTPDevice.objects.get()))
    assert second_factor.accepts(ada, codes[0])


@pytest.mark.usefixtures("codes")
def test_the_way_from_password_to_code_is_open_for_ten_minutes(
    ada: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, now = Client(), time.time()
    with_password(client)
    monkeypatch.setattr(time, "time", lambda: now + pending.SECONDS + 1)

    assert sent_to(client) == "/admin/login/"


@pytest.mark.usefixtures("codes")
def test_a_new_password_closes_the_way_to_the_code(ada: User) -> None:
    client = Client()
    with_password(client)
    ada.set_password("another one")
    ada.save()

    assert sent_to(client) == "/admin/login/"


def test_a_role_that_needs_one_adds_an_app_before_it_is_in(
    ada: User, settings: Any
) -> None:
    settings.TOTP_ROLES = ["administrator"]
    client = Client()
    assert with_password(client).url == ENROL
    page = client.get(ENROL).content.decode()
    assert "<svg" in page
    assert "style=" not in page[page.index("<svg") : page.index("</svg>")]
    assert not is_in(client)

    done = client.post(ENROL, {"code": shown_by(TOTPDevice.objects.get())})

    assert len(done.context["codes"]) == second_factor.RECOVERY_CODES
    assert is_in(client)
    assert second_factor.accepts(ada, done.context["codes"][0])


def test_a_secret_that_another_session_was_shown_is_not_added(
    ada: User, settings: Any
) -> None:
    settings.TOTP_ROLES = ["administrator"]
    secrets = []
    for client in (Client(), Client()):
        with_password(client)
        secrets.append(client.get(ENROL).context["secret"])
        assert client.get(ENROL).context["secret"] == secrets[-1]

    assert len(set(secrets)) == 2
    assert TOTPDevice.objects.count() == 1


def test_superusers_are_administrators_and_others_need_none(settings: Any) -> None:
    settings.TOTP_ROLES = ["administrator"]

    assert second_factor.is_required(UserFactory.create(is_superuser=True))
    assert not second_factor.is_required(member_of("operator"))


def test_an_administrator_resets_who_lost_the_phone(
    ada: User, codes: list[str]
) -> None:
    logged_in(member_of("administrator")).post(
        "/admin/auth/user/",
        {"action": "second_factor_reset", "_selected_action": [str(ada.pk)]},
    )

    client = Client()
    with_password(client)
    assert is_in(client)
    noted = AuditEntry.objects.get(action="user_changed")
    assert noted.details == {"how": "second factor reset"}


@pytest.mark.usefixtures("codes")
def test_removing_it_takes_a_code(ada: User) -> None:
    client, page = logged_in(ada), "/admin/second-factor/"
    client.post(page, {"remove": "1", "code": "000000"})
    assert second_factor.is_enrolled(ada)
    patient()

    client.post(page, {"remove": "1", "code": shown_by(TOTPDevice.objects.get())})

    assert not second_factor.is_enrolled(ada)
