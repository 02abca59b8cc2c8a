"""The problem inbox and the counts of the sidebar: what they show, ask and answer."""

import json
import re
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from calls.models import Alarm, AlarmKind, AlarmState, AuditEntry, Call, Severity
from tests.factories import (
    AlarmFactory,
    CallFactory,
    ParticipantFactory,
    member_of,
)

pytestmark = [pytest.mark.database, pytest.mark.django_db]

PAGE = "/admin/inbox/"
FEED = "/alarms/inbox.json"
BADGES = "/alarms/badges.json"
SIGNED = re.compile(r'<script id="inbox-first" type="application/json">(.*?)</script>')


def rows(client: Client, query: str = "") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = client.get(f"{FEED}?{query}").json()["rows"]
    return found


def ids(client: Client, query: str = "") -> list[str]:
    return [row["id"] for row in rows(client, query)]


def of(*alarms: Alarm) -> list[str]:
    return [str(alarm.pk) for alarm in alarms]


def chips(client: Client, name: str, query: str = "") -> dict[str, int | None]:
    found = client.get(f"{FEED}?{query}").json()["chips"][name]
    return {chip["value"]: chip["count"] for chip in found}


def ago(**length: float) -> Any:
    return timezone.now() - timedelta(**length)


def user_of(client: Client) -> User:
    return User.objects.get(pk=client.session["_auth_user_id"])


# --- what is shown ----------------------------------------------------------------


def test_ranks_the_worst_first_then_what_lasts_then_the_newest(
    operator: Client,
) -> None:
    notice = AlarmFactory.create(severity=Severity.NOTICE, opened_at=ago(minutes=1))
    over = AlarmFactory.create(
        severity=Severity.CRITICAL, cleared=True, opened_at=ago(minutes=2)
    )
    older = AlarmFactory.create(severity=Severity.CRITICAL, opened_at=ago(minutes=9))
    newer = AlarmFactory.create(severity=Severity.CRITICAL, opened_at=ago(minutes=5))
    assert ids(operator) == of(newer, older, over, notice)


def test_shows_what_is_unclosed_and_was_seen_within_a_day(operator: Client) -> None:
    fresh = AlarmFactory.create(
        opened_at=ago(days=3), last_seen_at=ago(hours=23), cleared_at=ago(hours=23)
    )
    AlarmFactory.create(opened_at=ago(hours=25), last_seen_at=ago(hours=25))
    closed = AlarmFactory.create(state=AlarmState.CLOSED, closed_at=ago(hours=1))
    AlarmFactory.create(state=AlarmState.CLOSED, opened_at=ago(hours=25))
    assert ids(operator) == of(fresh)
    assert ids(operator, "state=closed") == of(closed)


def test_tells_who_and_where_and_leads_to_the_moment(operator: Client) -> None:
    call = CallFactory.create(
        live=True, origin_us=1_764_000_000_000_000, from_raw_id="4:+12065550100"
    )
    ParticipantFactory.create(
        call=call, raw_id="8:acs:res_x", display_name="Mei <img src=x>"
    )
    about = {"call": call, "at_us": 1_764_000_083_440_000}
    alarm = AlarmFactory.create(raw_id="8:acs:res_x", occurrences=3, **about)
    AlarmFactory.create(severity=Severity.NOTICE, **about)

    row = rows(operator)[0]

    url = f"/admin/calls/call/{call.pk}/change/"
    assert row["who"] == "Mei <img src=x>"
    assert (row["jump"], row["at"]) == (f"{url}?t=83.4", "1:23")
    assert row["call"] == {
        "id": str(call.pk),
        "url": url,
        "title": "+1 206 555 0100 → +1 800 555 0199",
        "live": True,
        "alarms": 2,
    }
    assert (row["occurrences"], row["lasts"]) == (3, True)
    assert row["opened"] == pytest.approx(alarm.opened_at.timestamp())
    page = operator.get(PAGE).content.decode()
    assert "<img" not in page
    found = SIGNED.search(page)
    assert found
    assert json.loads(found[1])["rows"][0]["who"] == "Mei <img src=x>"


def test_leads_to_the_call_when_the_moment_is_not_known(operator: Client) -> None:
    call = CallFactory.create(live=True, origin_us=None)
    AlarmFactory.create(call=call)
    AlarmFactory.create(of_node=True, severity=Severity.NOTICE)
    of_call, of_node = rows(operator)
    url = f"/admin/calls/call/{call.pk}/change/"
    assert (of_call["jump"], of_call["at"]) == (url, "")
    assert (of_node["jump"], of_node["call"], of_node["node"]) == ("", None, "node-1")


def test_a_condition_older_than_the_first_packet_is_at_the_beginning(
    operator: Client,
) -> None:
    call = CallFactory.create(live=True, origin_us=1_764_000_000_000_000)
    AlarmFactory.create(call=call, at_us=1_763_999_999_000_000)
    assert rows(operator)[0]["jump"].endswith("?t=0")


def test_says_when_the_last_problem_was_closed(operator: Client) -> None:
    assert operator.get(FEED).json()["last_closed"] == ""
    AlarmFactory.create(state=AlarmState.CLOSED, closed_at=ago(hours=3))
    last = AlarmFactory.create(state=AlarmState.CLOSED, closed_at=ago(hours=1))
    said = operator.get(FEED).json()["last_closed"]
    assert said == f"{last.closed_at:%Y-%m-%d %H:%M:%S}"


def test_tells_who_closed_what_vanished(operator: Client, root: Client) -> None:
    alarm = AlarmFactory.create()
    operator.post(f"/alarms/{alarm.pk}/close", {"reason": "fixed"})
    name = user_of(operator).username
    [gone] = root.get(FEED).json()["gone"]
    assert gone == {"id": str(alarm.pk), "words": f"Closed by {name}: fixed"}
    [mine] = operator.get(FEED).json()["gone"]
    assert mine["words"] == "Closed by you: fixed"
    Alarm.objects.update(closed_at=ago(minutes=1))
    assert root.get(FEED).json()["gone"] == []


# --- filters ----------------------------------------------------------------------


def test_filters_by_everything_and_counts_each_choice(operator: Client) -> None:
    me = user_of(operator)
    over = CallFactory.create(ended=True)
    bad = AlarmFactory.create(severity=Severity.CRITICAL, kind=AlarmKind.ONE_WAY)
    gaps = AlarmFactory.create(kind=AlarmKind.GAPS, call=over, assignee=me)
    quiet = AlarmFactory.create(
        severity=Severity.NOTICE,
        kind=AlarmKind.TOO_QUIET,
        state=AlarmState.ACKNOWLEDGED,
    )
    node = AlarmFactory.create(of_node=True, severity=Severity.NOTICE)

    assert ids(operator, "severity=3,2") == of(bad, gaps)
    assert ids(operator, "kind=gaps,one_way") == of(bad, gaps)
    assert ids(operator, "state=acknowledged") == of(quiet)
    assert set(ids(operator, "state=open")) == set(of(bad, gaps, node))
    assert ids(operator, "state=mine") == of(gaps)
    assert ids(operator, "live=1") == of(bad, quiet)
    assert ids(operator, f"call={over.pk}") == of(gaps)
    assert chips(operator, "severity") == {"3": 1, "2": 1, "1": 2}
    # A choice counts what it would show beside the other filters, its own left out.
    assert chips(operator, "severity", "severity=3&live=1") == {"3": 1, "2": 0, "1": 1}
    assert chips(operator, "state", "severity=1") == {
        "open": 1,
        "acknowledged": 1,
        "mine": 0,
        "closed": None,
    }
    # The closed ones and the others are not looked at together.
    states = {"open": None, "acknowledged": None, "mine": None, "closed": 0}
    assert chips(operator, "state", "state=closed") == states
    assert set(chips(operator, "kind")) == {"one_way", "gaps", "too_quiet", "node_full"}
    assert chips(operator, "live", "state=mine") == {"1": 0}


@pytest.mark.parametrize(
    "text",
    [
        "okafor",
        "+1 206 555 0100",
        "2065550100",
        "33 s",
        "One-way",
        "ada.assigned",
        "+44 7946 000",
    ],
)
def test_finds_by_name_number_words_kind_and_assignee(
    operator: Client, text: str
) -> None:
    call = CallFactory.create(live=True, from_raw_id="4:+12065550100")
    ParticipantFactory.create(call=call, raw_id="8:x", display_name="Ada Okafor")
    assignee = member_of("operator")
    assignee.username = "ada.assigned"
    assignee.save()
    wanted = AlarmFactory.create(
        call=call,
        kind=AlarmKind.ONE_WAY,
        words="Silent for 33 s.",
        raw_id="4:+447946000001",
        assignee=assignee,
    )
    AlarmFactory.create(of_node=True)
    assert ids(operator, f"q={text.replace('+', '%2B')}") == of(wanted)
    assert ids(operator, "q=node-1") != of(wanted)


@pytest.mark.parametrize(
    "query",
    [
        "severity=9,x&kind=nonsense&state=y&live=z&page=-1&call=1",
        "page=999999",
        "page=٣",
        "page=99999999999999999999",
        "q=%00%27%22%25",
        "severity=%C3%28",
    ],
)
def test_takes_nonsense_for_no_filter(operator: Client, query: str) -> None:
    AlarmFactory.create(words="%'\" is a text")
    assert operator.get(f"{PAGE}?{query}").status_code == 200
    assert len(rows(operator, query)) == (0 if "q=" in query else 1)


def test_turns_pages_of_a_hundred(operator: Client) -> None:
    call = CallFactory.create(live=True)
    AlarmFactory.create_batch(250, call=call)
    first = operator.get(FEED).json()
    last = operator.get(f"{FEED}?page=3").json()
    shown = (first["total"], first["pages"], first["first"], len(first["rows"]))
    assert shown == (250, 3, 1, 100)
    assert (last["page"], last["first"], len(last["rows"])) == (3, 201, 50)
    assert not {row["id"] for row in first["rows"]} & {
        row["id"] for row in last["rows"]
    }


# --- what it costs ----------------------------------------------------------------


@pytest.mark.parametrize("url", [PAGE, FEED, f"{FEED}?q=a&live=1&severity=2"])
def test_asks_the_database_no_more_for_25_than_for_one(
    operator: Client, url: str
) -> None:
    def make(number: int) -> None:
        for _ in range(number):
            call = CallFactory.create(live=True, from_raw_id="4:+12065550100")
            ParticipantFactory.create(call=call, raw_id="8:a", display_name="Ada")
            AlarmFactory.create(
                call=call, raw_id="8:a", assignee=user_of(operator), words="a"
            )

    make(1)
    operator.get(url)
    with CaptureQueriesContext(connection) as one:
        assert operator.get(url).status_code == 200
    make(24)
    with CaptureQueriesContext(connection) as many:
        assert operator.get(url).status_code == 200
    assert len(one) == len(many)


def test_an_idle_inbox_costs_one_question_and_no_answer(operator: Client) -> None:
    AlarmFactory.create_batch(3)
    etag = operator.get(FEED)["ETag"]
    with CaptureQueriesContext(connection) as queries:
        response = operator.get(FEED, headers={"If-None-Match": etag})
    # Session, user and two for the permissions come with every request.
    assert (response.status_code, response.content, len(queries)) == (304, b"", 5)


@pytest.mark.parametrize(
    "change",
    [
        lambda alarm: AlarmFactory.create(),
        lambda alarm: Alarm.objects.update(occurrences=2),
        lambda alarm: Alarm.objects.update(cleared_at=timezone.now()),
        lambda alarm: Alarm.objects.update(last_seen_at=timezone.now()),
        lambda alarm: Call.objects.update(state="ended"),
        lambda alarm: act(alarm, "acknowledge"),
        lambda alarm: act(alarm, "close", reason="fixed"),
        lambda alarm: act(alarm, "assign", to=str(User.objects.all()[0].pk)),
    ],
)
def test_its_version_changes_with_whatever_is_shown(
    operator: Client, change: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Names may change unseen for so long; here nothing shall help.
    monkeypatch.setattr("calls.alarms.inbox.BUCKET_SECONDS", 10**12)
    alarm = AlarmFactory.create()
    etag = operator.get(FEED)["ETag"]
    again = operator.get(FEED, headers={"If-None-Match": etag})
    assert again.status_code == 304
    change(alarm)
    changed = operator.get(FEED, headers={"If-None-Match": etag})
    assert changed.status_code == 200
    assert changed["ETag"] != etag


@pytest.mark.parametrize("field", ["acknowledged_at", "assignee"])
def test_its_version_changes_when_the_older_of_two_is_taken_back(
    operator: Client, field: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("calls.alarms.inbox.BUCKET_SECONDS", 10**12)
    done = {"assignee": user_of(operator), "acknowledged_at": ago(minutes=1)}
    AlarmFactory.create(**done, assigned_at=ago(minutes=1))
    older = AlarmFactory.create(**done, assigned_at=ago(minutes=2))
    etag = operator.get(FEED)["ETag"]
    Alarm.objects.filter(pk=older.pk).update(**{field: None})
    assert operator.get(FEED, headers={"If-None-Match": etag}).status_code == 200


def test_each_reader_has_a_version_of_their_own(operator: Client, root: Client) -> None:
    AlarmFactory.create(assignee=user_of(operator))
    assert operator.get(FEED)["ETag"] != root.get(FEED)["ETag"]


def act(alarm: Alarm, name: str, **given: str) -> None:
    client = Client()
    client.force_login(User.objects.all()[0])
    assert client.post(f"/alarms/{alarm.pk}/{name}", given).status_code == 200


def test_another_filter_has_another_version(operator: Client) -> None:
    etag = operator.get(FEED)["ETag"]
    other = operator.get(f"{FEED}?severity=3", headers={"If-None-Match": etag})
    assert other.status_code == 200


# --- who may ----------------------------------------------------------------------


def test_shows_the_inbox_to_those_who_may_see_alarms(
    operator: Client, auditor: Client, stranger: Client
) -> None:
    AlarmFactory.create()
    call = CallFactory.create()
    assert 'id="inbox-bulk"' in operator.get(PAGE).content.decode()
    auditors = auditor.get(PAGE).content.decode()
    assert 'id="inbox-rows"' in auditors
    assert 'id="inbox-bulk"' not in auditors
    assert '"handle": false' in auditors
    assert stranger.get(PAGE).status_code == 403
    for url in (FEED, f"/calls/{call.pk}/alarms.json", "/alarms/handlers.json"):
        assert stranger.get(url).status_code == 403
        assert Client().get(url).status_code == 403
    assert auditor.get("/alarms/handlers.json").status_code == 403
    assert Client().get(PAGE).status_code == 302


@pytest.mark.parametrize("name", ["acknowledge", "assign", "close", "reopen"])
def test_lets_only_those_act_who_may_handle(
    auditor: Client, stranger: Client, name: str
) -> None:
    alarm = AlarmFactory.create(state=AlarmState.OPEN)
    for client in (auditor, stranger, Client()):
        for url in (f"/alarms/{alarm.pk}/{name}", "/alarms/bulk"):
            given = {"act": name, "ids": str(alarm.pk), "reason": "fixed"}
            response = client.post(url, given)
            assert response.status_code == 403
            assert response.json() == {"reason": "You may not do that."}
    assert not AuditEntry.objects.filter(action="alarm_changed").exists()


# --- handling over HTTP -----------------------------------------------------------


def test_acts_and_answers_what_the_alarm_is_now(operator: Client) -> None:
    me = user_of(operator)
    alarm = AlarmFactory.create()

    def do(name: str, **given: Any) -> Any:
        response = operator.post(f"/alarms/{alarm.pk}/{name}", given)
        assert response.status_code == 200, response.content
        return response.json()["rows"][0]

    assert do("acknowledge")["acknowledged_by"] == me.username
    assert do("assign", to=me.pk)["assignee"] == {"id": me.pk, "name": me.username}
    assert do("assign", to="")["assignee"] is None
    closed = do("close", reason="false alarm")
    assert (closed["state"], closed["close_reason"]) == ("closed", "false alarm")
    assert closed["closed"] == pytest.approx(timezone.now().timestamp(), abs=60)
    opened = do("reopen")
    assert (opened["state"], opened["closed"]) == ("open", None)


@pytest.mark.parametrize(
    ("name", "given", "reason"),
    [
        ("close", {}, "Say why you close it."),
        ("assign", {"to": "x"}, "There is no such user."),
        ("assign", {"to": "9" * 30}, "There is no such user."),
        ("assign", {"to": "987654"}, "There is no such user."),
        ("explode", {}, "There is no such thing to do."),
        ("reopen", {}, "It is open already."),
    ],
)
def test_says_in_words_why_it_does_not(
    operator: Client, name: str, given: dict[str, str], reason: str
) -> None:
    alarm = AlarmFactory.create()
    response = operator.post(f"/alarms/{alarm.pk}/{name}", given)
    assert (response.status_code, response.json()["reason"]) == (409, reason)


def test_says_that_somebody_was_faster(operator: Client, root: Client) -> None:
    alarm = AlarmFactory.create()
    root.post(f"/alarms/{alarm.pk}/close", {"reason": "fixed"})
    response = operator.post(f"/alarms/{alarm.pk}/close", {"reason": "known problem"})
    name = user_of(root).username
    assert response.status_code == 409
    assert response.json()["reason"] == f"{name} closed it first: fixed"
    assert response.json()["rows"][0]["closed_by"] == name


def test_knows_no_alarm_that_is_none(operator: Client) -> None:
    response = operator.post(f"/alarms/{uuid4()}/acknowledge")
    assert (response.status_code, response.json()) == (
        404,
        {"reason": "There is no such alarm."},
    )


def test_acts_on_many(operator: Client) -> None:
    alarms = AlarmFactory.create_batch(3)
    done = AlarmFactory.create(state=AlarmState.ACKNOWLEDGED)
    given = {"act": "acknowledge", "ids": ",".join(of(*alarms, done))}

    answer = operator.post("/alarms/bulk", given)

    assert answer.status_code == 200
    assert answer.json()["done"] == of(*alarms)
    [refused] = answer.json()["refused"]
    assert refused["id"] == str(done.pk)
    assert len(answer.json()["rows"]) == 4
    again = operator.post("/alarms/bulk", given)
    assert again.status_code == 409
    assert "You acknowledged it first." in again.json()["reason"]


@pytest.mark.parametrize("given", ["", "x", ",", ",".join(["0" * 32] * 501)])
def test_turns_away_what_are_no_alarms(operator: Client, given: str) -> None:
    answer = operator.post("/alarms/bulk", {"act": "acknowledge", "ids": given})
    assert answer.status_code == 400
    assert answer.json()["reason"]


def test_only_posts_change_anything(operator: Client) -> None:
    alarm = AlarmFactory.create()
    assert operator.get(f"/alarms/{alarm.pk}/acknowledge").status_code == 405
    assert operator.get("/alarms/bulk").status_code == 405
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(user_of(operator))
    assert strict.post(f"/alarms/{alarm.pk}/acknowledge").status_code == 403
    alarm.refresh_from_db()
    assert alarm.state == AlarmState.OPEN


def test_offers_those_who_may_handle_oneself_first(operator: Client) -> None:
    member_of("auditor")
    other = member_of("operator")
    me = user_of(operator)
    people = operator.get("/alarms/handlers.json").json()["people"]
    assert [(one["id"], one["me"]) for one in people] == [
        (me.pk, True),
        (other.pk, False),
    ]


# --- the call's own ---------------------------------------------------------------


def test_lists_the_alarms_of_a_call(auditor: Client, stranger: Client) -> None:
    call = CallFactory.create(live=True)
    closed = AlarmFactory.create(call=call, state=AlarmState.CLOSED)
    over = AlarmFactory.create(call=call, cleared=True)
    lasting = AlarmFactory.create(call=call, opened_at=ago(hours=1))
    AlarmFactory.create()
    found = auditor.get(f"/calls/{call.pk}/alarms.json").json()["rows"]
    assert [row["id"] for row in found] == of(lasting, over, closed)


def test_the_page_of_a_call_shows_its_alarms(operator: Client, auditor: Client) -> None:
    call = CallFactory.create(live=True)
    url = f"/admin/calls/call/{call.pk}/change/"
    assert 'data-handle="true"' in operator.get(url).content.decode()
    page = auditor.get(url).content.decode()
    assert f'data-url="/calls/{call.pk}/alarms.json"' in page
    assert 'data-handle="false"' in page


# --- the sidebar ------------------------------------------------------------------


def test_counts_what_is_live_and_what_nobody_has_acknowledged(
    operator: Client, stranger: Client
) -> None:
    call = CallFactory.create(live=True)
    assert operator.get(BADGES).json()["alarms"]["count"] == 0
    AlarmFactory.create(call=call, severity=Severity.WARNING)
    AlarmFactory.create(call=call, severity=Severity.NOTICE)
    AlarmFactory.create(
        call=call, severity=Severity.CRITICAL, state=AlarmState.ACKNOWLEDGED
    )
    found = operator.get(BADGES).json()
    assert (found["calls"]["count"], found["alarms"]["count"]) == (1, 2)
    assert found["alarms"]["tone"] == "warn"
    AlarmFactory.create(call=call, severity=Severity.CRITICAL)
    assert operator.get(BADGES).json()["alarms"]["tone"] == "bad"
    assert stranger.get(BADGES).json() == {}
    assert Client().get(BADGES).json() == {}


def test_the_sidebar_has_both_counts_even_when_there_is_nothing_to_count(
    operator: Client,
) -> None:
    page = operator.get("/admin/").content.decode()
    for key in ("calls", "alarms"):
        assert re.search(rf'data-badge="{key}"[^>]* hidden>', page)
    AlarmFactory.create(severity=Severity.CRITICAL)
    page = operator.get("/admin/").content.decode()
    assert re.search(r'data-badge="alarms" data-tone="bad"[^>]*[^n]>', page)
    assert not re.search(r'data-badge="alarms"[^>]* hidden>', page)
    assert "/static/calls/badges.js" in page


def test_the_counts_are_cheap(operator: Client) -> None:
    AlarmFactory.create_batch(5)
    with CaptureQueriesContext(connection) as queries:
        operator.get(BADGES)
    # Session, user and two for the permissions come with every request.
    assert len(queries) == 4 + 2


def test_a_reason_may_have_any_characters(operator: Client) -> None:
    # PostgreSQL keeps no NUL, and would answer with an error.
    alarm = AlarmFactory.create()

    said = operator.post(f"/alarms/{alarm.pk}/close", {"reason": "fi\0xed"})

    assert said.status_code == 200
    alarm.refresh_from_db()
    assert alarm.close_reason == "fixed"
