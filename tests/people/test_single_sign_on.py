"""Single sign-on, end to end with a real provider: who comes in, and what does not."""

import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from django.contrib.auth import get_user
from django.contrib.auth.models import Group, User
from django.core.checks import Error
from django.test import Client

from calls.models import AuditEntry, SsoIdentity
from calls.sign_in import single_sign_on
from calls.sign_in.checks import check_single_sign_on
from tests.console.conftest import logged_in
from tests.factories import UserFactory
from tests.people.provider import CLIENT, SECRET, Key, Provider, provider

pytestmark = [pytest.mark.database, pytest.mark.django_db]

GROUP = "5f1c9f6e-0000-4000-8000-000000000001"


@pytest.fixture
def op(settings: Any) -> Iterator[Provider]:
    with provider() as found:
        settings.OIDC_ISSUER = found.url
        settings.OIDC_CLIENT_ID, settings.OIDC_CLIENT_SECRET = CLIENT, SECRET
        settings.OIDC_ROLES = {GROUP: "operator", "Console.Audit": "auditor"}
        settings.OIDC_NAME = "Entra ID"
        settings.SIGN_IN_TRIES = 5
        found.claims = {"groups": [GROUP]}
        yield found


def comes_back(client: Client, wanted: str = "") -> str:
    """Send a browser to the provider; return where that sends it back to."""
    sent: Any = client.get("/sso/begin", {"next": wanted} if wanted else {})
    assert sent.status_code == 302
    back = requests.get(sent.url, allow_redirects=False, timeout=60)
    return back.headers["Location"].removeprefix("http://testserver")


def signs_in(client: Client, wanted: str = "") -> Any:
    return client.get(comes_back(client, wanted))


def is_in(client: Client) -> bool:
    return client.get("/admin/").status_code == 200


def test_who_has_a_mapped_group_comes_in_with_its_role(op: Provider) -> None:
    client = Client()
    assert "Sign in with Entra ID" in client.get("/admin/login/").content.decode()

    answer = signs_in(client, "/admin/inbox/")

    assert (answer.status_code, answer.url) == (302, "/admin/inbox/")
    assert is_in(client)
    user = User.objects.get()
    assert (user.username, user.first_name) == ("ada@example.com", "Ada")
    assert [group.name for group in user.groups.all()] == ["operator"]
    assert user.is_staff
    assert not user.is_superuser
    assert not user.has_usable_password()
    made, came_in = AuditEntry.objects.order_by("id")
    assert (made.action, made.object_title) == ("user_changed", "ada@example.com")
    assert (made.details["how"], made.details["by"]) == ("added", "single sign-on")
    assert made.details["fields"]["groups"] == ["operator"]
    assert came_in.details == {"by": "single sign-on"}


def test_app_roles_count_as_well_and_roles_are_those_of_the_last_time(
    op: Provider,
) -> None:
    signs_in(Client())
    night = Group.objects.create(name="Night shift")
    User.objects.get().groups.add(night)
    op.claims = {"roles": ["Console.Audit"], "preferred_username": "countess"}

    signs_in(Client())

    user = User.objects.get()
    assert {group.name for group in user.groups.all()} == {"auditor", "Night shift"}
    noted = AuditEntry.objects.filter(action="user_changed").latest("id")
    assert noted.details == {
        "how": "changed",
        "by": "single sign-on",
        "fields": {"groups": [["Night shift", "operator"], ["Night shift", "auditor"]]},
    }
    # The same roles once more are no change.
    signs_in(Client())
    assert AuditEntry.objects.filter(action="user_changed").latest("id") == noted
    # A new name there is no new user here.
    assert SsoIdentity.objects.get().user == user


def test_who_has_no_role_is_refused_and_keeps_none(op: Provider) -> None:
    signs_in(Client())
    op.claims = {"groups": ["something else"]}
    client = Client()

    answer = signs_in(client)

    assert answer.status_code == 403
    assert "no role here" in answer.content.decode()
    assert not is_in(client)
    assert not User.objects.get().groups.exists()
    last = AuditEntry.objects.order_by("-id")[0]
    assert (last.action, last.actor) == ("sign_in_failed", "ada@example.com")


def test_more_groups_than_fit_into_the_token_are_told_apart_from_none(
    op: Provider,
) -> None:
    op.claims = {"_claim_names": {"groups": "src1"}}

    assert "app roles" in signs_in(Client()).content.decode()


def test_a_name_does_not_open_a_local_account(op: Provider) -> None:
    local = UserFactory.create(username="ada@example.com", is_superuser=True)
    client = Client()

    answer = signs_in(client)

    assert answer.status_code == 403
    assert "subject-1" in answer.content.decode()
    assert not is_in(client)
    # Until an administrator has said that the two are one.
    SsoIdentity.objects.create(user=local, issuer=op.url, subject="subject-1")
    assert signs_in(client).status_code == 302
    assert User.objects.get() == local


@pytest.mark.parametrize("status", ["is_active", "is_staff"])
def test_who_was_switched_off_stays_out(op: Provider, status: str) -> None:
    inside, client = Client(), Client()
    signs_in(inside)
    User.objects.update(**{status: False})

    assert get_user(inside).is_anonymous
    assert signs_in(client).status_code == 403
    assert not is_in(client)


@pytest.mark.parametrize(
    "claims",
    [
        {"nonce": "another"},
        {"nonce": None},
        {"iss": "https://login.example.com"},
        {"aud": "another-client"},
        {"aud": ["another-client"], "azp": CLIENT},
        {"aud": None},
        {"exp": int(time.time()) - 600},
        {"exp": None},
        {"sub": None},
    ],
    ids=lambda claims: "_".join(f"{k}_{type(v).__name__}" for k, v in claims.items()),
)
def test_a_token_that_is_not_for_this_sign_in_is_refused(
    op: Provider, claims: dict[str, Any]
) -> None:
    op.claims |= claims
    client = Client()

    assert signs_in(client).status_code == 403
    assert not is_in(client)
    assert not User.objects.exists()


@pytest.mark.parametrize("how", ["unknown signer", "unknown key", "HS256", "none"])
def test_a_token_that_the_provider_did_not_sign_is_refused(
    op: Provider, how: str
) -> None:
    match how:
        case "unknown signer":
            op.forged = ("RS256", Key("first").private)
        case "unknown key":
            op.key = Key("unpublished")
        case "HS256":
            # Signed with what everybody knows.
            op.forged = ("HS256", op.public_pem())
        case _:
            op.forged = ("none", None)
    client = Client()

    assert signs_in(client).status_code == 403
    assert not is_in(client)


def test_a_key_that_is_new_is_fetched(op: Provider) -> None:
    assert signs_in(Client()).status_code == 302
    op.key = Key("second")
    op.published = [op.key]

    assert signs_in(Client()).status_code == 302


def test_an_answer_to_somebody_else_or_given_twice_is_refused(op: Provider) -> None:
    mine, other = Client(), Client()
    back = comes_back(mine)

    assert other.get(back).status_code == 403
    assert mine.get(back.replace("state=", "state=x")).status_code == 403
    assert mine.get(back).status_code == 302
    assert Client().get(back).status_code == 403


def test_strangers_write_nothing_and_those_who_began_little(op: Provider) -> None:
    single_sign_on.failures.cache_clear()
    client, failed = Client(), AuditEntry.objects.filter(action="sign_in_failed")
    for address in ("error=x", "state=made-up&code=y", ""):
        client.get(f"/sso/callback?{address}")
    assert not failed.exists()

    state = parse_qs(urlsplit(client.get("/sso/begin")["Location"]).query)["state"][0]
    for _ in range(2):
        client.get(f"/sso/callback?error=x&state={state}")
    assert failed.count() == 1

    for _ in range(2 * single_sign_on.NOTED_FAILURES):
        sent = urlsplit(client.get("/sso/begin")["Location"])
        client.get(f"/sso/callback?error=x&state={parse_qs(sent.query)['state'][0]}")
    assert failed.count() <= single_sign_on.NOTED_FAILURES + 2


def test_whom_the_provider_vouches_for_has_no_password_that_counts(
    op: Provider, settings: Any
) -> None:
    settings.BREAK_GLASS = "glass"
    for name, is_superuser in (("ada", False), ("glass", False), ("root", True)):
        user = UserFactory.create(username=name, is_superuser=is_superuser)
        SsoIdentity.objects.create(user=user, issuer=op.url, subject=name)

    def tries(name: str) -> Any:
        form = {"username": name, "password": "secret"}
        return Client().post("/admin/login/", form)

    assert "by single sign-on" in tries("ada").content.decode()
    assert [tries(name).status_code for name in ("glass", "root")] == [302, 302]
    settings.OIDC_ISSUER = ""
    assert tries("ada").status_code == 302


def test_a_provider_that_is_down_is_said_to_be(settings: Any) -> None:
    settings.OIDC_ISSUER, settings.OIDC_CLIENT_ID = "http://127.0.0.1:9", CLIENT

    answer = Client().get("/sso/begin")

    assert answer.status_code == 403
    assert "does not answer" in answer.content.decode()


def test_a_document_of_another_issuer_is_not_believed(
    op: Provider, settings: Any
) -> None:
    settings.OIDC_ISSUER = op.url + "/"

    assert "not the one expected" in Client().get("/sso/begin").content.decode()


def test_no_page_elsewhere_is_gone_on_to(op: Provider) -> None:
    assert signs_in(Client(), "https://evil.example/").url == "/admin/"


def test_only_the_break_glass_account_has_a_password_that_counts(
    op: Provider, settings: Any
) -> None:
    settings.SSO_ONLY, settings.BREAK_GLASS = True, "glass"
    for name in ("glass", "ada"):
        UserFactory.create(username=name)
    client = Client()
    page = client.get("/admin/login/").content.decode()
    assert 'name="password"' not in page
    assert 'name="password"' in client.get("/admin/login/?local").content.decode()

    def tries(name: str) -> int:
        form = {"username": name, "password": "secret"}
        return Client().post("/admin/login/?local", form).status_code

    assert (tries("ada"), tries("glass")) == (200, 302)


def test_signing_out_leads_on_to_signing_out_of_the_provider(op: Provider) -> None:
    client = Client()
    signs_in(client)

    page = client.post("/admin/logout/").content.decode()

    assert f"{op.url}/leave?post_logout_redirect_uri=" in page
    assert not is_in(client)


def test_checks_name_what_is_wrong_with_the_settings(settings: Any) -> None:
    def ids(**given: Any) -> list[str]:
        sound = {
            "OIDC_ISSUER": "https://login.example.com/v2.0",
            "OIDC_CLIENT_ID": "x",
            "OIDC_ROLES": {GROUP: "operator"},
            "SSO_ONLY": False,
            "TOTP_ROLES": ["administrator"],
        }
        for name, value in (sound | given).items():
            setattr(settings, name, value)
        return [str(one.id) for one in check_single_sign_on() if isinstance(one, Error)]

    assert ids() == []
    assert ids(OIDC_ISSUER="http://login.example.com") == ["acsstream.E030"]
    assert ids(OIDC_CLIENT_ID="") == ["acsstream.E031"]
    assert ids(OIDC_ROLES={GROUP: "boss"}) == ["acsstream.E032"]
    assert ids(OIDC_ISSUER="", SSO_ONLY=True) == ["acsstream.E033"]
    assert ids(TOTP_ROLES=["boss"]) == ["acsstream.E034"]


def test_who_may_sign_in_as_a_new_user_or_could_as_a_deleted_one_is_noted() -> None:
    browser = logged_in(UserFactory.create(is_superuser=True))
    form = {
        "username": "ada",
        "usable_password": "true",
        "password1": "another one 17",
        "password2": "another one 17",
        "sso_identities-TOTAL_FORMS": "1",
        "sso_identities-INITIAL_FORMS": "0",
        "sso_identities-0-issuer": "https://login.example.com",
        "sso_identities-0-subject": "subject-1",
    }
    told = "subject-1 at https://login.example.com"

    added = browser.post("/admin/auth/user/add/", form)
    assert added.status_code == 302
    key = User.objects.get(username="ada").pk
    browser.post(f"/admin/auth/user/{key}/delete/", {"post": "yes"})

    made, gone = AuditEntry.objects.filter(action="user_changed").order_by("id")
    assert made.details["inlines"][0]["added"]["object"] == told
    assert gone.details["identities"] == [told]
