"""The dashboard's snapshot: database and live figures in one picture."""

import time
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
from django.contrib.auth.models import Permission
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from calls.board.facts import (
    LEAVING_SECONDS,
    BoardReader,
    board_facts,
    stored_tracks,
)
from calls.board.rows import ALARMS_TOLD
from calls.board.snapshot import Picture
from calls.board.types import Board, CallRow, TrackRow
from calls.board.view import View
from calls.live.ingest import LiveProcess
from calls.models import Call
from tests.console.conftest import logged_in
from tests.console.snapshots import live_call, live_track, snapshot
from tests.factories import (
    AlarmFactory,
    CallFactory,
    CommandFactory,
    ProcessFactory,
    TrackFactory,
    member_of,
)

pytestmark = [pytest.mark.database, pytest.mark.django_db]


def board_now(*processes: LiveProcess, workers: int | None = None) -> Board:
    picture = Picture(board_facts(), processes, at=timezone.now(), workers=workers)
    return picture.board(View())


def board_without_feed() -> Board:
    picture = Picture(board_facts(), None, at=timezone.now(), reason="Redis is down.")
    picture.stored = stored_tracks(picture.unmeasured(View()))
    return picture.board(View())


def tracks_of(row: CallRow) -> list[TrackRow]:
    assert row["tracks"] is not None
    return row["tracks"]


def test_shows_what_ingest_measures() -> None:
    call = CallFactory.create(live=True, from_raw_id="4:+12065550100")
    row = board_now(snapshot(calls=[call]))["calls"][0]
    assert row["measured"]
    assert row["from_name"] == "+1 206 555 0100"
    assert (row["completeness"], row["malformed"], row["unknown"]) == (0.985, 3, 1)
    assert row["quiet"] == pytest.approx(0.02, abs=0.01)
    assert tracks_of(row)[0] == {
        "key": "4:+12065550100",
        "name": "+1 206 555 0100",
        "packets": 500,
        "silence_ratio": 0.25,
        "talk_ms": 7_500,
        "rms_dbfs": -24.0,
        "gap_count": 0,
        "gap_ms": 0,
        "talking": True,
    }


def test_names_participants_as_the_database_knows_them() -> None:
    track = TrackFactory.create(participant__display_name="Ada Okafor")
    heard = live_call(track.call, [live_track(track.participant.raw_id)])
    row = board_now(snapshot(calls=[heard]))["calls"][0]
    assert tracks_of(row)[0]["name"] == "Ada Okafor"


def test_falls_back_to_what_was_stored() -> None:
    track = TrackFactory.create(packets=400, silent_packets=100)
    picture = board_without_feed()
    row = picture["calls"][0]
    assert (picture["live"], picture["reason"]) == (False, "Redis is down.")
    assert not row["measured"]
    assert tracks_of(row)[0]["key"] == track.participant.raw_id
    assert tracks_of(row)[0]["silence_ratio"] == 0.25
    # Not 0: nobody knows.
    assert picture["cards"]["streams"] is None
    assert picture["cards"]["packets_per_second"] is None
    assert picture["cards"]["workers"] is None


def test_takes_the_process_that_heard_a_call_last() -> None:
    call = CallFactory.create(live=True)
    before = live_call(call, [live_track("a", silence_ratio=0.9)], ago=30)
    after = live_call(call, [live_track("a", silence_ratio=0.1)], ago=1)
    for order in ((before, after), (after, before)):
        rows = board_now(*(snapshot(calls=[one]) for one in order))["calls"]
        assert tracks_of(rows[0])[0]["silence_ratio"] == 0.1


def test_measures_quiet_by_the_clock_of_the_process() -> None:
    call = CallFactory.create(live=True)
    process = snapshot(calls=[live_call(call, ago=7)])
    ahead = process | {"at": process["at"] + 3_600}
    for one in ahead["calls"]:
        one["last_packet_at"] = (one["last_packet_at"] or 0) + 3_600
    quiet = board_now(ahead)["calls"][0]["quiet"]
    assert quiet == pytest.approx(7, abs=0.5)


def test_knows_calls_from_which_nothing_has_come_yet() -> None:
    call = CallFactory.create(live=True)
    silent = live_call(call, []) | {"last_packet_at": None, "completeness": None}
    row = board_now(snapshot(calls=[silent]))["calls"][0]
    assert (row["quiet"], row["tracks"]) == (None, [])


def test_sums_up_processes() -> None:
    call = CallFactory.create(live=True)
    tracks = [
        live_track("a", packets=900, silent_packets=450),
        live_track("b", packets=100, silent_packets=0),
    ]
    cards = board_now(
        snapshot(streams=2, refused=1, calls=[live_call(call, tracks)]),
        snapshot(streams=1, error="No space left on device"),
        workers=2,
    )["cards"]
    assert (cards["streams"], cards["refused"], cards["processes"]) == (3, 1, 2)
    assert cards["packets_per_second"] == 150
    assert cards["silence_ratio"] == pytest.approx(0.45)
    assert cards["workers"] == 2
    assert cards["journal_pending_bytes"] == 1_280
    assert cards["journal_error"] == "No space left on device"


def test_says_which_ingest_cannot_reach_the_database() -> None:
    lost = [snapshot(node="recorder-2", database="OperationalError")] * 2
    picture = Picture(
        board_facts(),
        [snapshot(), *lost],
        at=timezone.now(),
        reason="Something else is down.",
    )
    assert picture.reason == (
        "Something else is down."
        " Ingest on recorder-2 cannot reach the database; recording goes on."
    )
    assert board_now(snapshot())["reason"] == ""


def test_counts_processes_that_died_without_a_word() -> None:
    now = timezone.now()
    ProcessFactory.create(renewed_at=now)
    ProcessFactory.create(renewed_at=now - timedelta(minutes=5))
    ProcessFactory.create(renewed_at=now - timedelta(minutes=5), stopped_at=now)
    ProcessFactory.create(renewed_at=now - timedelta(days=5))
    cards = board_without_feed()["cards"]
    assert (cards["processes"], cards["processes_dead"]) == (1, 1)


def test_counts_incomplete_calls_of_the_day() -> None:
    now = timezone.now()
    CallFactory.create(ended=True, with_gap=True, rang_at=now - timedelta(hours=1))
    CallFactory.create(ended=True, with_gap=True, rang_at=now - timedelta(days=2))
    CallFactory.create(ended=True, rang_at=now - timedelta(hours=1))
    CallFactory.create(live=True, with_gap=True)
    assert board_now()["cards"]["incomplete"] == 1


def test_shows_the_latest_order() -> None:
    call = CallFactory.create(live=True)
    CommandFactory.create(call=call, asked_at=timezone.now() - timedelta(minutes=1))
    CommandFactory.create(call=call, state="timed_out", result="Nothing was heard.")
    assert board_now()["calls"][0]["command"] == {
        "label": "Start streaming",
        "state": "timed_out",
        "state_label": "Timed out",
        "result": "Nothing was heard.",
    }


def test_shows_what_ended_within_the_hour() -> None:
    now = timezone.now()
    recent = CallFactory.create(ended=True, rang_at=now - timedelta(minutes=10))
    TrackFactory.create(call=recent, packets=100, silent_packets=40)
    CallFactory.create(ended=True, rang_at=now - timedelta(hours=3))
    rows = board_now()["ended"]
    assert [row["id"] for row in rows] == [str(recent.pk)]
    assert rows[0]["silence_ratio"] == 0.4
    assert rows[0]["seconds"] == 60


def test_asks_the_database_no_more_for_many_calls_than_for_one() -> None:
    AlarmFactory.create(call=TrackFactory.create().call)
    TrackFactory.create(call=CallFactory.create(ended=True))
    with CaptureQueriesContext(connection) as one:
        board_now()
    for number in range(24):
        call = TrackFactory.create(participant__display_name="Ada Okafor").call
        CommandFactory.create(call=call)
        AlarmFactory.create(call=call, key=f"{number}")
        TrackFactory.create(call=CallFactory.create(ended=True))
    with CaptureQueriesContext(connection) as many:
        rows = board_now()["calls"]
    assert len(rows) == 25
    assert len(many) == len(one)


def test_puts_the_newest_call_on_top() -> None:
    now = timezone.now()
    old = CallFactory.create(live=True, rang_at=now - timedelta(minutes=9))
    new = CallFactory.create(live=True, rang_at=now)
    assert [row["id"] for row in board_now()["calls"]] == [str(new.pk), str(old.pk)]


def test_times_are_seconds_since_1970() -> None:
    CallFactory.create(live=True, connected_at=timezone.now())
    picture = board_now()
    assert picture["at"] == pytest.approx(time.time(), abs=60)
    assert picture["calls"][0]["since"] == pytest.approx(time.time(), abs=60)


def test_what_is_not_the_whole_is_never_shown_as_the_whole() -> None:
    call = CallFactory.create(live=True)
    heard = live_call(call) | {"completeness": 0.999_999}
    assert board_now(snapshot(calls=[heard]))["calls"][0]["completeness"] == 0.9999


def test_leaves_out_what_most_rows_do_without() -> None:
    call = CallFactory.create(live=True)
    heard = live_call(call) | {"malformed": 0, "unknown": 0}
    CommandFactory.create(call=call, state="confirmed")
    row = board_now(snapshot(calls=[heard]))["calls"][0]
    rare = CallRow.__optional_keys__
    assert {"alarms", "command", "paused", "ended_at", "listeners"} <= rare
    assert not rare & row.keys()


def test_names_what_we_say_into_a_call() -> None:
    call = CallFactory.create(live=True)
    heard = live_call(call)
    heard["speaking"] = {
        "name": "Recording notice",
        "kind": "prompt",
        "played_ms": 20,
        "queued_ms": 900,
    }
    row = board_now(snapshot(calls=[heard]))["calls"][0]
    assert row["speaking"] == "Recording notice"


def test_an_order_that_was_confirmed_ends_what_is_told_of_those_before() -> None:
    call = CallFactory.create(live=True)
    before = timezone.now() - timedelta(minutes=1)
    CommandFactory.create(call=call, state="failed", asked_at=before)
    CommandFactory.create(call=call, state="confirmed")
    assert "command" not in board_now()["calls"][0]


def test_tells_the_alarms_of_a_call_the_worst_first() -> None:
    call = CallFactory.create(live=True)
    alarm = partial(AlarmFactory.create, call=call)
    alarm(kind="gaps", severity=2, words="3 % are missing", cleared_at=timezone.now())
    alarm(kind="dead_air", severity=3, words="nobody speaks")
    alarm(kind="one_way", severity=3, state="closed")
    for number in range(5):
        alarm(kind="too_quiet", severity=1, words=f"{number}", key=f"quiet {number}")
    picture = board_now()
    row = picture["calls"][0]
    assert (row["alarms"]["count"], row["alarms"]["severity"]) == (7, 3)
    assert row["alarms"]["words"][:2] == [
        "Dead air: nobody speaks",
        "Gaps: 3 % are missing (over)",
    ]
    assert len(row["alarms"]["words"]) == ALARMS_TOLD
    assert (picture["cards"]["alarms"], picture["cards"]["critical"]) == (7, 1)


def test_shows_only_the_rows_on_screen_and_counts_the_rest() -> None:
    now = timezone.now()
    calls = [
        CallFactory.create(live=True, rang_at=now - timedelta(minutes=age))
        for age in range(5)
    ]
    picture = Picture(board_facts(), None, at=now)
    page = picture.board(View(first=1, count=2))
    assert [row["id"] for row in page["calls"]] == [str(one.pk) for one in calls[1:3]]
    assert (page["first"], page["total"], page["cards"]["live_calls"]) == (1, 5, 5)
    assert page["matching"] == 5
    # Rows have gone since the browser scrolled there: it sees the last ones.
    page = picture.board(View(first=50, count=2))
    assert [row["id"] for row in page["calls"]] == [str(one.pk) for one in calls[3:]]
    assert page["first"] == 3


def test_reads_stored_figures_of_rows_on_screen_alone() -> None:
    tracks = [TrackFactory.create() for _ in range(3)]
    heard = snapshot(calls=[tracks[1].call])
    picture = Picture(board_facts(), [heard], at=timezone.now())
    view = View(first=0, count=2)
    assert len(picture.unmeasured(view)) == 1
    assert picture.unmeasured(View()) == {tracks[0].call_id, tracks[2].call_id}
    # Not asked for yet is not the same as none.
    rows = {row["id"]: row for row in picture.board(View())["calls"]}
    assert rows[str(tracks[0].call_id)]["tracks"] is None


# --- from one second to the next ----------------------------------------------------


def test_a_call_that_ends_stays_for_a_while() -> None:
    reader = BoardReader()
    call = CallFactory.create(live=True)
    reader.read()
    # What tells the end may say that it was long ago.
    long_ago = timezone.now() - timedelta(hours=1)
    Call.objects.update(state="ended", ended_at=long_ago)
    facts = reader.read()
    assert ([one.id for one in facts.calls], facts.live) == ([call.pk], 0)
    board = Picture(facts, None, at=timezone.now()).board(View())
    # It is a row still, and counts no more.
    assert (board["total"], board["matching"]) == (1, 0)
    assert board["cards"]["live_calls"] == 0
    reader._leaving[call.pk] -= LEAVING_SECONDS
    assert not reader.read().calls


def test_a_call_that_ended_before_anybody_looked_is_not_shown() -> None:
    CallFactory.create(ended=True)
    reader = BoardReader()
    assert not reader.read().calls
    assert not reader.read().calls


def test_a_call_that_somebody_selected_stays() -> None:
    call = CallFactory.create(ended=True)
    facts = BoardReader().read([call.pk])
    picture = Picture(facts, None, at=timezone.now())
    [row] = picture.board(View(selected=call.pk))["calls"]
    # On no other screen than that of who selected it.
    assert picture.board(View())["calls"] == []
    assert row["ended_at"] == pytest.approx(call.ended_at.timestamp())  # type: ignore[union-attr] # it has ended


def test_names_are_asked_again_for_a_new_call() -> None:
    reader = BoardReader()
    assert reader.read().names == {}
    track = TrackFactory.create(participant__display_name="Ada Okafor")
    names = reader.read().names[track.call_id]
    assert names == {track.participant.raw_id: "Ada Okafor"}


# --- the page ---------------------------------------------------------------------


def test_the_page_is_born_as_its_address_asks(operator: Client) -> None:
    CallFactory.create(live=True, caller_name="Mei Tanaka")
    CallFactory.create(live=True, caller_name="Ada Okafor")
    board = operator.get("/admin/?q=ada&sort=colour").context["board"]
    assert [row["from_name"] for row in board["calls"]] == ["Ada Okafor"]
    assert (board["total"], board["cards"]["live_calls"]) == (1, 2)


def test_offers_to_listen_to_who_may(operator: Client, stranger: Client) -> None:
    assert 'data-listen="yes"' in operator.get("/admin/").content.decode()
    user = member_of("auditor")
    user.groups.clear()
    user.user_permissions.add(Permission.objects.get(codename="view_call"))
    assert 'data-listen="no"' in logged_in(user).get("/admin/").content.decode()


def test_is_born_with_a_first_picture(operator: Client) -> None:
    hostile = "</script><img src=x onerror=alert(1)>"
    CallFactory.create(live=True, caller_name=hostile)
    response = operator.get("/admin/")
    page = response.content.decode()
    assert response.context["board"]["calls"][0]["from_name"] == hostile
    assert "<img src=x" not in page
    assert "stop_streaming" in response.context["rights"]


def test_gives_auditors_no_buttons(auditor: Client) -> None:
    assert auditor.get("/admin/").context["rights"] == {}


def test_says_since_when_and_why_a_row_is_paused(operator: Client) -> None:
    at = datetime(2026, 3, 4, 12, 3, 4, tzinfo=UTC)
    CallFactory.create(live=True, paused_at=at, paused_why="card number")
    [row] = operator.get("/admin/").context["board"]["calls"]
    assert row["paused"] == "Paused: card number, since 12:03:04"


def test_shows_strangers_no_calls(stranger: Client) -> None:
    CallFactory.create(live=True, caller_name="Ada Okafor")
    page = stranger.get("/admin/").content.decode()
    assert "You may not see calls" in page
    assert "Ada Okafor" not in page
    assert "dashboard.js" not in page


def test_counts_live_calls_in_the_sidebar(operator: Client, stranger: Client) -> None:
    CallFactory.create_batch(3, live=True)
    items = operator.get("/admin/").context["sidebar_navigation"][0]["items"]
    assert next(item["badge"] for item in items if item["title"] == "Calls") == "3"
    assert stranger.get("/admin/").context["sidebar_navigation"] == []


def test_shows_what_each_ingest_process_bears() -> None:
    full = snapshot(node="b", streams=3, limit=3, state="full", reason="3 are open")
    ready = snapshot(node="a", streams=2, cpu=0.4, disk_days=None)

    rows = board_now(full, ready)["nodes"]

    assert [(row["node"], row["streams"], row["limit"]) for row in rows] == [
        ("a", 2, 800),
        ("b", 3, 3),
    ]
    assert [row["state_label"] for row in rows] == ["Ready", "Takes no more"]
    assert (rows[0]["cpu"], rows[0]["disk_days"]) == (0.4, None)
    assert rows[1]["reason"] == "3 are open"


def test_a_process_that_does_not_tell_its_load_is_not_in_the_table() -> None:
    old = snapshot()
    del old["load"]

    assert board_now(old)["nodes"] == []
    assert board_without_feed()["nodes"] == []
