"""The page of preflight: who may see it, and what each line asks."""

import pytest
from django.contrib.auth.models import Permission, User
from django.contrib.contenttypes.models import ContentType
from django.test import Client
from pytest_django import Settings

from calls.models import Call
from calls.preflight import CHECKS, Check, Status, run
from tests.factories import UserFactory, member_of

pytestmark = [pytest.mark.database, pytest.mark.django_db]

PAGE = "/admin/preflight/"


def browser_of(user: User, *, strict: bool = False) -> Client:
    client = Client(enforce_csrf_checks=strict)
    client.force_login(user)
    return client


@pytest.fixture
def root() -> Client:
    return browser_of(UserFactory.create(is_superuser=True))


def allowed() -> User:
    """A member of staff who may run preflight and nothing else."""
    user = UserFactory.create()
    permission, _ = Permission.objects.get_or_create(
        codename="run_preflight",
        content_type=ContentType.objects.get_for_model(Call),
        defaults={"name": "Can run the preflight checks"},
    )
    user.user_permissions.add(permission)
    return user


def test_a_line_for_every_check_waits_to_be_asked(root: Client) -> None:
    page = root.get(PAGE)

    html = page.content.decode()
    assert page.status_code == 200
    for check in CHECKS:
        assert f'data-check="{PAGE}{check.name}/"' in html
    assert page.headers["Cache-Control"].startswith("max-age=0, no-cache")


def test_a_check_tells_its_result(root: Client, settings: Settings) -> None:
    settings.MEDIA_URL_BASE = ""

    told = root.post(f"{PAGE}media-url/").json()

    assert (told["name"], told["status"]) == ("media-url", "red")
    assert told["sentence"] == "ACSSTREAM_MEDIA_URL is not set."
    assert told["advice"].startswith("Set it to wss://")
    assert told["ms"] >= 0


def test_a_check_that_is_none_is_not_found(root: Client) -> None:
    assert root.post(f"{PAGE}nonsense/").status_code == 404


def test_a_check_is_posted_with_a_token(root: Client) -> None:
    assert root.get(f"{PAGE}media-url/").status_code == 405
    strict = browser_of(UserFactory.create(is_superuser=True), strict=True)
    assert strict.post(f"{PAGE}media-url/").status_code == 403


def test_the_permission_is_enough() -> None:
    client = browser_of(allowed())

    page = client.get(PAGE)

    assert page.status_code == 200
    assert client.post(f"{PAGE}media-url/").status_code == 200
    links = [item["link"] for item in page.context["sidebar_navigation"][0]["items"]]
    assert links == [PAGE]


def test_without_the_permission_nobody_sees_or_runs_it() -> None:
    for user in (UserFactory.create(), member_of("auditor")):
        client = browser_of(user)
        assert client.get(PAGE).status_code == 403
        assert client.post(f"{PAGE}media-url/").status_code == 403
        assert PAGE not in client.get("/admin/").content.decode()


def test_strangers_are_sent_to_the_login() -> None:
    assert Client().get(PAGE).status_code == 302
    assert Client().post(f"{PAGE}media-url/").status_code == 302


def test_a_check_that_breaks_is_unknown_and_takes_no_other_with_it() -> None:
    def broken() -> None:
        raise ZeroDivisionError

    check = Check("broken", "Broken", "Media", broken)  # type: ignore[arg-type] # on purpose

    result = run(check)

    assert result.outcome.status == Status.UNKNOWN
    assert "ZeroDivisionError" in result.outcome.sentence
