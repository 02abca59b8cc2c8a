"""Every filter of the archive finds what it is for, and nothing else."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from calls.figures import calls_figures_refresh
from calls.models import AlarmKind, Call, Severity, Tag
from tests.factories import (
    AlarmFactory,
    CallFactory,
    ParticipantFactory,
    ProfileFactory,
)

pytestmark = [pytest.mark.database, pytest.mark.django_db]

LIST = "/admin/calls/call/"


def shown(client: Client, query: str, **values: Any) -> list[Any]:
    """Return the keys of the calls that a query string leads to, in their order."""
    response = client.get(f"{LIST}?{query.format(**values)}")
    assert response.status_code == 200
    return [row.pk for row in response.context["cl"].result_list]


# Query, fields of a call that it finds, fields of one that it does not.
COLUMNS: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("direction__exact=outbound", {"outbound": True}, {}),
    ("direction__exact=inbound", {}, {"outbound": True}),
    ("live=yes", {"live": True, "ended": False}, {}),
    ("live=no", {}, {"live": True, "ended": False}),
    ("state__exact=failed", {"state": "failed"}, {}),
    ("streaming_state__exact=failed", {"streaming_state": "failed"}, {}),
    ("archive_state__exact=failed", {"archive_state": "failed"}, {}),
    ("duration_from=90", {"duration_ms": 90_000}, {"duration_ms": 89_999}),
    ("duration_from=1:30", {"duration_ms": 90_000}, {"duration_ms": 89_999}),
    ("duration_from=1:00:00", {"duration_ms": 3_600_000}, {"duration_ms": 90_000}),
    ("duration_to=2:00", {"duration_ms": 120_000}, {"duration_ms": None}),
    ("duration_to=0,5", {"duration_ms": 500}, {"duration_ms": 501}),
    ("silence_from=80", {"silence_ratio": 0.8}, {"silence_ratio": 0.799}),
    ("silence_to=5 %25", {"silence_ratio": 0.05}, {"silence_ratio": None}),
    ("complete=yes", {"completeness": 1.0}, {"completeness": 0.9999}),
    ("complete=no", {"completeness": 0.9999}, {"completeness": 1.0}),
    ("complete=under99", {"completeness": 0.98}, {"completeness": 0.995}),
    ("complete=unknown", {"completeness": None}, {"completeness": 0.5}),
    ("alarm=any", {"alarm_severity": Severity.NOTICE, "alarm_count": 1}, {}),
    ("alarm=warning", {"alarm_severity": 2}, {"alarm_severity": 1}),
    ("alarm=critical", {"alarm_severity": 3}, {"alarm_severity": 2}),
    ("alarm=none", {}, {"alarm_severity": 1}),
    ("rating=4", {"rating": 4}, {"rating": 5}),
    ("rating=low", {"rating": 2}, {"rating": 3}),
    ("rating=any", {"rating": 1}, {"rating": None}),
    ("rating=none", {"rating": None}, {"rating": 1}),
    ("follow_up=any", {"needs_follow_up": True}, {}),
    ("follow_up=nobody", {"needs_follow_up": True}, {}),
    ("follow_up=no", {}, {"needs_follow_up": True}),
    ("transcript=yes", {"has_transcript": True}, {}),
    ("transcript=no", {}, {"has_transcript": True}),
    ("party=5550100", {"from_raw_id": "4:+12065550100"}, {}),
    ("party=%2B1 (800) 555-0142", {"to_raw_id": "4:+18005550142"}, {}),
    ("party=okaf", {"caller_name": "Ada Okafor"}, {"caller_name": "Ada"}),
]


@pytest.mark.parametrize(
    ("query", "hit", "miss"),
    COLUMNS,
    ids=[f"{n}-{q}" for n, (q, *_) in enumerate(COLUMNS)],
)
def test_finds_what_it_is_for(
    operator: Client, query: str, hit: dict[str, Any], miss: dict[str, Any]
) -> None:
    found = CallFactory.create(**{"ended": True} | hit)
    CallFactory.create(**{"ended": True} | miss)
    assert shown(operator, query) == [found.pk]


@pytest.mark.parametrize(
    ("preset", "hit", "miss"),
    [
        ("today", 0, 1),
        ("yesterday", 1, 0),
        ("yesterday", 1, 2),
        ("7", 6, 7),
        ("14", 13, 14),
        ("30", 29, 30),
    ],
)
def test_finds_days_as_they_are_counted_today(
    operator: Client, preset: str, hit: int, miss: int
) -> None:
    midday = timezone.localtime().replace(hour=12, minute=0)
    found, _ = (
        CallFactory.create(ended=True, rang_at=midday - timedelta(days=days_ago))
        for days_ago in (hit, miss)
    )
    assert shown(operator, f"when={preset}") == [found.pk]


def test_finds_days_of_the_calendar_both_included(operator: Client) -> None:
    def at(day: int, hour: int, minute: int) -> datetime:
        return datetime(2026, 3, day, hour, minute, tzinfo=UTC)

    moments = [at(1, 23, 59), at(2, 0, 0), at(3, 23, 59), at(4, 0, 0)]
    made = [CallFactory.create(ended=True, rang_at=one).pk for one in moments]
    query = "rang_at_from_0=2026-03-02&rang_at_to_0=2026-03-03"
    with timezone.override("UTC"):
        assert shown(operator, query) == [made[2], made[1]]
        # Links that have a time as well.
        timed = f"{query}&rang_at_to_1=12:00"
        assert shown(operator, timed) == [made[1]]


def test_finds_who_took_part_by_number_or_name(operator: Client) -> None:
    made = {}
    for raw_id, name in (("4:+4420794600", "Nils Lindqvist"), ("8:acs:x", "")):
        call = CallFactory.create(ended=True)
        ParticipantFactory.create(call=call, raw_id=raw_id, display_name=name)
        calls_figures_refresh([call.pk])
        made[raw_id] = call.pk
    assert shown(operator, "person=lindq") == [made["4:+4420794600"]]
    assert shown(operator, "person=20794600") == [made["4:+4420794600"]]
    assert shown(operator, "person=8:acs:x") == [made["8:acs:x"]]
    # All words must be in it.
    assert shown(operator, "person=nils tanaka") == []
    # Who called is another question.
    assert shown(operator, "party=lindq") == []


def test_finds_a_kind_of_alarm(operator: Client) -> None:
    silent, gappy = (CallFactory.create(ended=True) for _ in range(2))
    AlarmFactory.create(call=silent, kind=AlarmKind.DEAD_AIR)
    AlarmFactory.create(call=silent, kind=AlarmKind.DEAD_AIR)
    AlarmFactory.create(call=gappy, kind=AlarmKind.GAPS)
    assert shown(operator, "alarm_kind=dead_air") == [silent.pk]
    assert shown(operator, "alarm_kind=clipping") == []


def test_finds_a_tag(operator: Client) -> None:
    tag, other = (Tag.objects.create(name=name) for name in ("billing", "fraud"))
    call = CallFactory.create(ended=True)
    call.tags.add(tag)
    CallFactory.create(ended=True).tags.add(other)
    assert shown(operator, "tag={pk}", pk=tag.pk) == [call.pk]


def test_finds_a_profile(operator: Client) -> None:
    query = "profile__id__exact={pk}"
    profiles = ProfileFactory.create_batch(2)
    calls = [CallFactory.create(ended=True, profile=profile) for profile in profiles]
    for profile, call in zip(profiles, calls, strict=True):
        assert shown(operator, query, pk=profile.pk) == [call.pk]


def test_finds_what_is_mine_to_follow_up(operator: Client, auditor: Client) -> None:
    me = int(operator.session["_auth_user_id"])
    call = CallFactory.create(
        ended=True, needs_follow_up=True, follow_up_assignee_id=me
    )
    CallFactory.create(ended=True, needs_follow_up=True)
    assert shown(operator, "follow_up=mine") == [call.pk]
    assert shown(auditor, "follow_up=mine") == []


def test_all_filters_together_must_pass(operator: Client) -> None:
    call = CallFactory.create(
        ended=True, rating=2, completeness=0.9, caller_name="Ada Okafor"
    )
    CallFactory.create(ended=True, rating=2, caller_name="Ada Okafor")
    CallFactory.create(ended=True, rating=2, completeness=0.9)
    assert shown(operator, "rating=low&complete=no&q=Okafor") == [call.pk]


def test_says_what_is_set_and_leads_out_of_it(operator: Client) -> None:
    CallFactory.create(ended=True, rating=2)
    page = operator.get(f"{LIST}?rating=low&duration_from=1:00&when=30&q=Ada")
    chips = {chip.text: address for chip, address in page.context["cl"].chips}
    assert set(chips) == {"Rang: Last 30 days", "Rating: ★★ or less", "Duration ≥ 1:00"}
    assert chips["Rating: ★★ or less"] == "?duration_from=1%3A00&when=30&q=Ada"
    assert "3 filters, clear all" in page.content.decode()


def test_a_preset_takes_the_place_of_a_range(operator: Client) -> None:
    page = operator.get(f"{LIST}?rang_at_from_0=2026-03-02&rating=5")
    addresses = {label: address for label, address, _ in page.context["cl"].presets}
    assert addresses["Today"] == "?rating=5&when=today"


def test_says_what_to_do_when_nothing_matches(operator: Client) -> None:
    CallFactory.create(ended=True)
    page = operator.get(f"{LIST}?rating=5").content.decode()
    assert "No call matches" in page
    assert "Take a filter away" in page


def test_says_what_to_do_when_there_are_no_calls(root: Client, auditor: Client) -> None:
    for client in (root, auditor):
        page = client.get(LIST).content.decode()
        assert "No calls yet" in page
    assert "/admin/preflight/" in root.get(LIST).content.decode()


HOSTILE = [
    "live=%00", "when=%27%3B--", "rang_at_from_0=0001-01-01", "rang_at_to_0=9999-12-31",
    "rang_at_from_0=2026-02-31", "rang_at_from_0=2026-03-01&rang_at_from_1=25:99",
    "rang_at_from_0=2026-03-01&rang_at_from_1=10:00%2B05:00",
    "duration_from=nan", "duration_from=inf", "duration_to=-1", "duration_from=1e400",
    "duration_to=9999999999999999999999", "duration_from=1:2:3:4", "duration_from=:",
    "silence_from=nan", "silence_to=1e308", "silence_from=x",
    "tag=999999999999999999999",
    "tag=x", "tag=-1", "profile__id__exact=1%27", "rating=9", "rating=%F0%9F%92%A5",
    "party=%00", "party=%25", "party=%5C", "party=_%25_", "person=%27 OR 1=1",
    "q=%25%25%25",
    "q=%5C%5C%5C", "q=%00%00%00abc", "q=" + "a" * 5_000, "q=" + "ab " * 500,
    "q=((((", "q=--------", "q=zz%27zz", "p=0", "p=-1", "p=x", "p=99999999999999999999",
    "rows=0", "rows=1000000", "rows=x", "sort=x", "sort=-",
    "sort=incoming_call_context",
    "o=1.2.3", "o=-99", "all=", "view=x", "view=999999", "view=99999999999999999999999",
    "view=%D9%A3", "incoming_call_context__contains=a", "profile__name__contains=a",
    "foo=bar", "e=1", "_facets=True", "id__exact=x", "live=yes&live=no", "follow_up=",
]  # fmt: skip


@pytest.mark.parametrize("query", HOSTILE, ids=range(len(HOSTILE)))
def test_takes_no_harm_from_rubbish(operator: Client, query: str) -> None:
    CallFactory.create(ended=True, incoming_call_context="abc")
    response = operator.get(f"{LIST}?{query}")
    assert response.status_code == 200


def test_looks_into_no_column_but_by_its_filters(operator: Client) -> None:
    """The context is a bearer secret: nobody may guess it letter by letter."""
    call = CallFactory.create(ended=True, incoming_call_context="abc")
    assert shown(operator, "incoming_call_context__startswith=x") == [call.pk]


def test_a_page_beyond_the_last_is_the_last(operator: Client) -> None:
    CallFactory.create_batch(26, ended=True)
    assert len(shown(operator, "rows=25&p=99")) == 1


def test_dashboard_links_still_lead_where_they_say(operator: Client) -> None:
    holed = CallFactory.create(ended=True, with_gap=True)
    CallFactory.create(ended=True)
    CallFactory.create(live=True, completeness=0.5)
    assert shown(operator, "complete=no&live=no") == [holed.pk]


def test_counts_everything_once(operator: Client) -> None:
    call = CallFactory.create(ended=True)
    call.tags.add(*(Tag.objects.create(name=f"t{n}") for n in range(3)))
    for _ in range(3):
        AlarmFactory.create(call=call, kind=AlarmKind.GAPS)
    page = operator.get(f"{LIST}?alarm_kind=gaps")
    assert page.context["cl"].rows_words == "1–1 of 1"
    assert Call.objects.count() == 1
