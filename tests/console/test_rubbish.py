"""Rubbish in orders: every answer is in words, none is a fault of ours."""

import pytest
from django.contrib.auth.models import User
from django.test import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from calls.models import CommandKind, StreamCommand
from calls.orders import ORDERS
from tests.console.conftest import logged_in
from tests.factories import CallFactory, ParticipantFactory, UserFactory

pytestmark = [pytest.mark.database, pytest.mark.django_db]

NAMES = ("participant", "target", "caller_id", "reason", "locale", "kind", "id")
RUBBISH = (
    "",
    " ",
    "\0",
    "\ud800".encode("utf-8", "surrogatepass").decode("utf-8", "replace"),
    "x" * 100_000,
    "4:+" + "9" * 300,
    "<script>alert(1)</script>",
    "' OR 1=1 --",
    "8:acs:../../x",
    "en-US\nX: y",
    "[]",
    "null",
)
BY_HAND = [kind for kind, order in ORDERS.items() if order.by_hand]


@pytest.fixture
def root(db: None) -> Client:
    user: User = UserFactory.create(is_superuser=True, is_staff=True)
    return logged_in(user)


@pytest.mark.parametrize("kind", BY_HAND)
def test_no_argument_is_a_fault(root: Client, kind: str) -> None:
    call = CallFactory.create(live=True)
    ParticipantFactory.create(call=call, raw_id="4:+12065550100")

    for rubbish in RUBBISH:
        answer = root.post(
            f"/calls/{call.pk}/commands/{kind}", dict.fromkeys(NAMES, rubbish)
        )
        assert answer.status_code in (201, 409), rubbish[:40]
        assert answer.json().get("reason", "made"), rubbish[:40]
        StreamCommand.objects.all().delete()


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    kind=st.sampled_from([CommandKind.PLACE_CALL, CommandKind.CONNECT_CALL]),
    form=st.dictionaries(
        st.sampled_from(("whom", "target", "caller_id", "profile", "kind", "id")),
        st.one_of(st.text(max_size=60), st.sampled_from(RUBBISH)),
    ),
)
def test_no_form_that_begins_a_call_is_a_fault(
    root: Client, kind: CommandKind, form: dict[str, str]
) -> None:
    page = "place" if kind == CommandKind.PLACE_CALL else "connect"

    assert root.post(f"/admin/calls/call/{page}/", form).status_code in (200, 302)


@pytest.mark.parametrize("rubbish", RUBBISH)
def test_no_question_about_rules_is_a_fault(root: Client, rubbish: str) -> None:
    names = ("from", "to", "at", "when", "date", "time")
    page = "/admin/calls/answerrule/what-would-happen/"

    answer = root.get(page, dict.fromkeys(names, rubbish))

    assert answer.status_code == 200
    assert b"<script>alert(1)" not in answer.content
