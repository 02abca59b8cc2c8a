"""The lists: what they show, how much they ask the database, what they forbid."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import Group
from django.contrib.contenttypes.models import ContentType
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from calls.figures import calls_figures_refresh
from calls.models import (
    Alarm,
    AnswerRule,
    Call,
    CallEvent,
    Connection,
    IngestProcess,
    Participant,
    Recording,
    StreamCommand,
    StreamingProfile,
    Subscription,
    Track,
)
from tests.factories import (
    AlarmFactory,
    CallFactory,
    CommandFactory,
    ConnectionFactory,
    EventFactory,
    ProcessFactory,
    ProfileFactory,
    RecordingFactory,
    RuleFactory,
    SubscriptionFactory,
    TrackFactory,
)

pytestmark = pytest.mark.database

# Written out, because every test process must collect the same tests.
NOBODYS_ID = "98908842-df3f-4713-ab12-2d7302cf04bf"

FACTS: dict[type[Any], Callable[[], Any]] = {
    Call: lambda: TrackFactory.create(call__ended=True).call,
    Participant: lambda: TrackFactory.create().participant,
    Track: lambda: TrackFactory.create(with_gap=True),
    Subscription: SubscriptionFactory.create,
    Connection: ConnectionFactory.create,
    Recording: RecordingFactory.create,
    StreamCommand: CommandFactory.create,
    CallEvent: EventFactory.create,
    IngestProcess: ProcessFactory.create,
    Alarm: AlarmFactory.create,
}
POLICY: dict[type[Any], Callable[[], Any]] = {
    StreamingProfile: ProfileFactory.create,
    AnswerRule: RuleFactory.create,
}
EVERY_LIST = [*FACTS, *POLICY]


def list_url(model: type[Any]) -> str:
    return f"/admin/calls/{model._meta.model_name}/"


def page_url(row: Any) -> str:
    return f"{list_url(type(row))}{row.pk}/change/"


def make(model: type[Any]) -> Any:
    return (FACTS | POLICY)[model]()


@pytest.mark.parametrize("model", EVERY_LIST)
def test_asks_the_database_no_more_for_25_rows_than_for_one(
    root: Client, model: type[Any]
) -> None:
    # Spread over seven days or not, the date drill-down asks the same.
    make(model)
    root.get(list_url(model))
    with CaptureQueriesContext(connection) as one:
        assert root.get(list_url(model)).status_code == 200
    for _ in range(24):
        make(model)
    with CaptureQueriesContext(connection) as many:
        response = root.get(list_url(model))
    assert len(response.context["cl"].result_list) == 25
    assert len(many) == len(one)


@pytest.mark.parametrize("model", EVERY_LIST)
def test_shows_50_rows_a_page(model: type[Any]) -> None:
    assert admin.site.get_model_admin(model).list_per_page == 50


@pytest.mark.parametrize("model", FACTS)
def test_lets_nobody_change_facts(root: Client, model: type[Any]) -> None:
    row = make(model)
    assert root.get(f"{list_url(model)}add/").status_code == 403
    assert root.get(f"{list_url(model)}{row.pk}/delete/").status_code == 403
    assert root.post(page_url(row), {"state": "x"}).status_code == 403
    assert model.objects.filter(pk=row.pk).exists()
    assert b'name="_save"' not in root.get(page_url(row)).content


@pytest.mark.parametrize("model", FACTS)
def test_shows_facts_to_auditors(auditor: Client, model: type[Any]) -> None:
    row = make(model)
    assert auditor.get(list_url(model)).status_code == 200
    assert auditor.get(page_url(row)).status_code == 200


@pytest.mark.parametrize("model", EVERY_LIST)
def test_shows_nothing_to_strangers(stranger: Client, model: type[Any]) -> None:
    row = make(model)
    assert stranger.get(list_url(model)).status_code == 403
    assert stranger.get(page_url(row)).status_code == 403


def test_lets_administrators_edit_profiles(root: Client) -> None:
    profile = ProfileFactory.create()
    response = root.post(
        page_url(profile),
        {
            "name": "Front desk",
            "channels": "mixed",
            "sample_rate": 24_000,
            "transcription": "off",
            "locale": "en-US",
            "retention": "standard",
        },
    )
    assert response.status_code == 302
    profile.refresh_from_db()
    assert (profile.name, profile.sample_rate) == ("Front desk", 24_000)


def test_lets_operators_only_look_at_profiles(operator: Client) -> None:
    profile = ProfileFactory.create()
    assert operator.get(page_url(profile)).status_code == 200
    assert operator.post(page_url(profile), {"name": "Mine"}).status_code == 403


@pytest.mark.parametrize("path", ["auth/user/", "auth/group/", "auth/user/add/"])
def test_keeps_users_and_groups_in_the_same_look(root: Client, path: str) -> None:
    response = root.get(f"/admin/{path}")
    assert response.status_code == 200
    assert b"unfold" in response.content


@pytest.mark.parametrize(
    "term",
    [
        "+12065550100",
        "+1 206 555 0100",
        "5550100",
        "Okafor",
        "{connection_id}",
        "{id}",
        "{correlation_id}",
    ],
)
def test_finds_a_call_by_what_people_have_in_hand(operator: Client, term: str) -> None:
    call = CallFactory.create(
        ended=True, from_raw_id="4:+12065550100", caller_name="Ada Okafor"
    )
    CallFactory.create(ended=True, from_raw_id="4:+4479460000", to_raw_id="4:+44123")
    response = operator.get(list_url(Call), {"q": term.format(**vars(call))})
    assert [row.pk for row in response.context["cl"].result_list] == [call.pk]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("live=yes", {"live"}),
        ("live=no", {"whole", "holed", "missed"}),
        ("complete=no", {"holed"}),
        ("complete=yes", {"live", "whole"}),
        ("complete=under99", {"holed"}),
        ("complete=unknown", {"missed"}),
        ("state__exact=failed", {"missed"}),
        ("streaming_state__exact=streaming", {"live"}),
        ("direction__exact=outbound", {"whole"}),
        ("live=nonsense", {"live", "whole", "holed", "missed"}),
    ],
)
def test_filters_calls(operator: Client, query: str, expected: set[str]) -> None:
    made = {
        "live": CallFactory.create(live=True),
        "whole": CallFactory.create(ended=True, outbound=True),
        "holed": CallFactory.create(ended=True, with_gap=True),
        "missed": CallFactory.create(state="failed"),
    }
    response = operator.get(f"{list_url(Call)}?{query}")
    shown = {row.pk for row in response.context["cl"].result_list}
    assert shown == {made[name].pk for name in expected}


def test_shows_silence_people_and_parties_of_a_call(operator: Client) -> None:
    track = TrackFactory.create(
        call__live=True, call__from_raw_id="4:+12065550100", silent_packets=750
    )
    TrackFactory.create(call=track.call, packets=1_000, silent_packets=250)
    calls_figures_refresh([track.call.pk])
    page = operator.get(list_url(Call)).content.decode()
    assert "+1 206 555 0100" in page
    assert "25.0 %" in page


@pytest.mark.parametrize("model", [Call, Participant, Track, Recording, StreamCommand])
def test_shows_hostile_names_as_text(operator: Client, model: type[Any]) -> None:
    hostile = "<img src=x onerror=alert(1)>"
    call = CallFactory.create(
        ended=True, caller_name=hostile, from_raw_id=f"8:x:{hostile}"
    )
    track = TrackFactory.create(call=call, participant__display_name=hostile)
    RecordingFactory.create(call=call, track=track)
    CommandFactory.create(call=call, why=hostile, result=hostile)
    page = operator.get(list_url(model)).content.decode()
    assert "<img" not in page
    assert "&lt;img" in page


@pytest.mark.parametrize(
    "hostile", ["nonsense", "1%27%20OR%201=1", "_3Cscript_3E", NOBODYS_ID]
)
def test_turns_away_ids_that_are_none(operator: Client, hostile: str) -> None:
    response = operator.get(f"{list_url(Call)}{hostile}/change/")
    assert response.status_code in (302, 404)


@pytest.mark.parametrize("rest", ["1", NOBODYS_ID, "a/b"])
def test_no_id_leads_to_a_page_elsewhere(operator: Client, rest: str) -> None:
    kind = ContentType.objects.get_for_model(Call).pk

    assert operator.get(f"/admin/r/{kind}/{rest}/").status_code == 404


def test_makes_groups_once_and_leaves_them_alone(db: None) -> None:
    from django.core.management import call_command

    operators = Group.objects.get(name="operator")
    assert operators.permissions.filter(codename="hang_up").exists()
    auditors = Group.objects.get(name="auditor")
    rights = set(auditors.permissions.values_list("codename", flat=True))
    assert "play_recording" in rights
    assert not rights & {"download_recording", "control_streaming", "hang_up"}
    operators.permissions.clear()
    call_command("migrate", verbosity=0)
    assert not operators.permissions.exists()


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("calls/auditentry/", "Audit log"),
        ("calls/streamcommand/", "Commands"),
        ("calls/callevent/", "Events"),
        ("calls/connection/", "Sockets"),
        ("calls/answerrule/", "Answering rules"),
    ],
)
def test_a_list_is_called_as_the_sidebar_calls_it(
    root: Client, path: str, name: str
) -> None:
    page = root.get(f"/admin/{path}").content.decode()
    assert f"<title> {name} | " in " ".join(page.split())
    assert "Select " not in page.partition("</title>")[0]


@pytest.mark.django_db
def test_the_page_of_a_command_has_its_moments_to_the_millisecond(
    root: Client,
) -> None:
    command = CommandFactory.create(
        sent_at=datetime(2026, 3, 1, 12, 0, 0, 123_456, UTC),
        arguments={"target": "4:+12065550100"},
    )
    page = root.get(page_url(command)).content.decode()
    assert "12:00:00.123" in page
    assert "target +1 206 555 0100" in page
    assert "(&#x27;" not in page
