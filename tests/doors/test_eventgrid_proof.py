"""Event Grid proves itself by a secret or by a token of Entra."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client
from pytest_django import Settings

from calls.models import Call
from tests.control.test_eventgrid import VALIDATION
from tests.control.wire import incoming_call
from tests.doors.keys import FORGERIES, KeyServer, key_server, token

pytestmark = [pytest.mark.database, pytest.mark.django_db]

AUDIENCE = "api://acsstream"
ISSUER = "https://sts.windows.net/11111111-2222-3333-4444-555555555555/"
EVENT_GRID = "4962773b-9cdb-44cf-a8bf-237846a00ab7"


@pytest.fixture(scope="module")
def keys() -> Iterator[KeyServer]:
    with key_server() as keys:
        yield keys


@pytest.fixture(autouse=True)
def entra(settings: Settings, keys: KeyServer) -> None:
    settings.EVENTGRID_SECRET = ""
    settings.EVENTGRID_AUDIENCE = AUDIENCE
    settings.EVENTGRID_ISSUER = ISSUER
    settings.EVENTGRID_OPENID_URL = keys.discovery_url


def of_entra(**changes: Any) -> str:
    return token(**{"iss": ISSUER, "aud": AUDIENCE, "appid": EVENT_GRID} | changes)


def post(event: Any, **headers: str) -> Any:
    body = json.dumps([event])
    return Client().post(
        "/webhooks/eventgrid", body, content_type="application/json", headers=headers
    )


def shown(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def test_a_token_of_entra_shakes_hands_and_rings() -> None:
    assert "validationResponse" in post(VALIDATION, **shown(of_entra())).json()
    assert post(incoming_call(), **shown(of_entra())).status_code == 200

    assert Call.objects.count() == 1


def test_a_token_of_version_two_names_its_application_otherwise() -> None:
    second = of_entra(appid="", azp=EVENT_GRID)

    assert post(incoming_call(), **shown(second)).status_code == 200


FALSE = {
    "another application": lambda: of_entra(appid="another"),
    "no application": lambda: of_entra(appid=""),
    "another audience": lambda: of_entra(aud="api://other"),
    "another tenant": lambda: of_entra(iss="https://sts.windows.net/evil/"),
    "of acs": token,
} | FORGERIES


@pytest.mark.parametrize("made", FALSE.values(), ids=FALSE)
def test_any_other_token_is_refused(made: Any) -> None:
    assert post(incoming_call(), **shown(made())).status_code == 401
    assert post(VALIDATION, **shown(made())).status_code == 401

    assert Call.objects.count() == 0


def test_beside_a_token_the_secret_does_as_well(settings: Settings) -> None:
    settings.EVENTGRID_SECRET = "right"

    by_header = post(incoming_call(), **{"x-acsstream-secret": "right"})
    by_wrong_header = post(incoming_call(), **{"x-acsstream-secret": "wrong"})

    assert (by_header.status_code, by_wrong_header.status_code) == (200, 401)
