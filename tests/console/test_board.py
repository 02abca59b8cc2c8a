"""The dashboard's snapshot: database and live figures in one picture."""

import time
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from calls.board import Picture
from calls.board_facts import board_facts, stored_tracks
from calls.board_types import Board, CallRow, TrackRow
from calls.board_view import View
from calls.live import LiveProcess
from tests.console.snapshots import live_call, live_track, snapshot
from tests.factories import (
    CallFactory,
    CommandFactory,
    ProcessFactory,
    TrackFactory,
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
    TrackFactory.create()
    with CaptureQueriesContext(connection) as one:
        board_now()
    for _ in range(24):
        CommandFactory.create(call=TrackFactory.create().call)
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


# --- the page ---------------------------------------------------------------------


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
