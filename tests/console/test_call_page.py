"""The page of one call."""

import json
import re
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.db import connection
from django.test import Client, override_settings
from django.test.utils import CaptureQueriesContext

from calls import formats, history, markup, selectors
from calls.models import Call
from tests.console.conftest import logged_in
from tests.factories import (
    AlarmFactory,
    CallFactory,
    CommandFactory,
    ConnectionFactory,
    EventFactory,
    LossFactory,
    ParticipantFactory,
    RecordingFactory,
    TrackFactory,
    UserFactory,
)

pytestmark = pytest.mark.database

HOSTILE = "</script><img src=x onerror=alert(1)>"


def page_url(call: Call) -> str:
    return f"/admin/calls/call/{call.pk}/change/"


def finished_call(tracks: int = 1, **fields: Any) -> Call:
    call: Call = CallFactory.create(ended=True, **fields)
    for _ in range(tracks):
        track = TrackFactory.create(call=call, with_gap=True)
        RecordingFactory.create(call=call, track=track)
        ConnectionFactory.create(call=call)
        LossFactory.create(track=track)
        CommandFactory.create(call=call, asked_by=UserFactory.create())
        EventFactory.create(call=call)
    RecordingFactory.create(call=call, track=None)
    return call


def player_of(page: str) -> list[dict[str, Any]]:
    found = re.search(r'<script id="player-tracks"[^>]*>(.*?)</script>', page, re.S)
    assert found
    tracks: list[dict[str, Any]] = json.loads(found[1])
    return tracks


def test_asks_the_database_no_more_for_many_tracks_than_for_one(
    operator: Client,
) -> None:
    few, many = finished_call(1), finished_call(12)
    # The first view of each is noted.
    operator.get(page_url(few))
    operator.get(page_url(many))
    with CaptureQueriesContext(connection) as asked_for_few:
        operator.get(page_url(few))
    with CaptureQueriesContext(connection) as asked_for_many:
        operator.get(page_url(many))
    assert len(asked_for_many) == len(asked_for_few)


def test_tells_the_facts(operator: Client) -> None:
    call = finished_call(from_raw_id="4:+12065550100", overtalk_ms=1_200)
    page = operator.get(page_url(call)).content.decode()
    for fact in (
        "+1 206 555 0100",
        "1.2 s",
        "The caller hung up.",
        "98.5 %",
        "1 · 900 ms",
        "52.112.0.7",
        "CallConnected",
        "Start streaming",
        call.correlation_id,
    ):
        assert fact in page, fact


def test_tells_what_a_socket_that_broke_off_cost(operator: Client) -> None:
    call = CallFactory.create(ended=True)
    track = TrackFactory.create(
        call=call, with_gap=True, participant__display_name=HOSTILE
    )
    loss = LossFactory.create(track=track)
    LossFactory.create(
        connection=loss.connection,
        track=TrackFactory.create(call=call, participant__display_name="Ada"),
        samples=None,
    )

    page = operator.get(page_url(call)).content.decode()

    assert "recovered after a crash, 0.18 s lost" in page
    until = formats.moment_ms(loss.until)
    told = f"everything up to {until} is here, 0.18 s missing after it."
    # Beside the socket, and among the events.
    assert page.count(told) == 2
    assert f"Ada: up to {markup.moment_ms(loss.until)}, nothing after it" in page
    assert "The two cannot be told apart." in page
    assert "<img" not in page


def test_tells_nothing_of_sockets_that_ended_well(operator: Client) -> None:
    call = CallFactory.create(ended=True)
    ConnectionFactory.create(call=call, journal_state="kept", journal_end="sealed")

    page = operator.get(page_url(call)).content.decode()

    assert "recovered" not in page
    assert "broke off" not in page


def test_lists_what_was_lost_beside_each_socket(operator: Client) -> None:
    LossFactory.create()
    ConnectionFactory.create()

    page = operator.get("/admin/calls/connection/").content.decode()

    assert "0.18 s" in page


def test_puts_the_mix_first_and_tracks_by_their_offset(operator: Client) -> None:
    call = CallFactory.create(ended=True)
    origin = call.origin_us or 0
    late = TrackFactory.create(call=call)
    RecordingFactory.create(call=call, track=late, origin_us=origin + 4_020_000)
    early = TrackFactory.create(call=call)
    RecordingFactory.create(call=call, track=early, origin_us=origin)
    mix = RecordingFactory.create(call=call, track=None, origin_us=origin)
    tracks = player_of(operator.get(page_url(call)).content.decode())
    assert [track["offset"] for track in tracks] == [0, 0, 4.02]
    assert tracks[0] == tracks[0] | {
        "id": str(mix.pk),
        "mix": True,
        "label": "Mix",
        "seconds": 60.0,
    }


def test_tells_the_player_where_audio_is_missing(operator: Client) -> None:
    call = CallFactory.create(ended=True)
    track = TrackFactory.create(
        call=call,
        ledger={"rate": 16_000, "runs": [["r", 16_000], ["g", 8_000], ["x", 4_000]]},
    )
    RecordingFactory.create(call=call, track=track)
    page = operator.get(page_url(call)).content.decode()
    assert player_of(page)[0]["holes"] == [
        {"kind": "g", "start": 1.0, "seconds": 0.5},
        {"kind": "x", "start": 1.5, "seconds": 0.25},
    ]
    assert "expected, not received" in page


def test_plays_without_the_waveform_library(operator: Client) -> None:
    call = finished_call()
    page = operator.get(page_url(call)).content.decode()
    assert page.count("<audio controls") == 2


def test_does_without_a_library_that_was_not_collected() -> None:
    manifest = {
        "staticfiles": {
            "BACKEND": "django.contrib.staticfiles.storage.ManifestStaticFilesStorage"
        }
    }
    with override_settings(STORAGES=manifest):
        assert selectors.wavesurfer_url() == ""


def test_offers_downloads_to_those_who_may(operator: Client, auditor: Client) -> None:
    call = finished_call()
    assert b"download.wav" in operator.get(page_url(call)).content
    page = auditor.get(page_url(call)).content
    assert b"/audio" in page
    # The player's data names them; the page offers no link.
    assert b'href="/recordings' not in page


def test_plays_nothing_to_those_who_may_not(db: None) -> None:
    user = UserFactory.create()
    user.user_permissions.add(Permission.objects.get(codename="view_call"))
    page = logged_in(user).get(page_url(finished_call())).content
    assert b"You may not play them." in page
    assert b"/audio" not in page


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ("live", b"Audio is being received."),
        ("pending", b"its recordings are being made"),
        ("failed", b"Recordings could not be made: disk full"),
        ("none", b"No audio was received."),
        ("finished", b"There is nothing to play"),
    ],
)
def test_says_why_there_is_nothing_to_play(
    operator: Client, state: str, words: bytes
) -> None:
    call = CallFactory.create(
        ended=True, archive_state=state, archive_error="disk full"
    )
    assert words in operator.get(page_url(call)).content


def test_shows_what_was_said_of_a_call_without_anything(operator: Client) -> None:
    call = CallFactory.create()
    page = operator.get(page_url(call)).content
    assert b"Nobody is known yet." in page
    assert b"ACS has not dialled a media socket" in page


def test_shows_participants_without_audio(operator: Client) -> None:
    call = CallFactory.create(live=True)
    ParticipantFactory.create(call=call, display_name="Fifth Speaker")
    page = operator.get(page_url(call)).content
    assert b"Fifth Speaker" in page
    assert b"no audio of theirs" in page


def test_does_not_miss_single_voices_in_mixed_audio(operator: Client) -> None:
    call = CallFactory.create(live=True)
    TrackFactory.create(participant__call=call, participant__raw_id="mixed")
    ParticipantFactory.create(call=call, display_name="Fifth Speaker")
    page = operator.get(page_url(call)).content
    assert b"in the mixed audio" in page
    assert b"no audio of theirs" not in page


def test_keeps_a_page_of_a_chatty_call_short(operator: Client) -> None:
    call = CallFactory.create(ended=True)
    EventFactory.create_batch(history.SHOWN + 5, call=call)
    page = operator.get(page_url(call)).content
    assert page.count(b'class="console-moment"') == history.SHOWN


def test_shows_hostile_names_and_bodies_as_text(operator: Client) -> None:
    call = CallFactory.create(
        ended=True, caller_name=HOSTILE, end_reason=HOSTILE, streaming_reason=HOSTILE
    )
    track = TrackFactory.create(call=call, participant__display_name=HOSTILE)
    RecordingFactory.create(call=call, track=track)
    ConnectionFactory.create(call=call, close_reason=HOSTILE, last_fault=HOSTILE)
    CommandFactory.create(call=call, result=HOSTILE, why=HOSTILE)
    EventFactory.create(call=call, kind=HOSTILE, body={HOSTILE: HOSTILE})
    page = operator.get(page_url(call)).content.decode()
    assert "<img" not in page
    assert "</script><" not in page.replace("</script></", "")
    assert player_of(page)[0]["label"] == HOSTILE


@pytest.mark.django_db
def test_claims_no_direction_of_a_subscription(operator: Client) -> None:
    call = finished_call()

    page = operator.get(page_url(call)).content.decode()

    assert "Subscription <code>" in page
    assert "one-way" not in page
    assert "bidirectional" not in page


def test_parts_with_scripts_of_their_own_are_not_replaced(operator: Client) -> None:
    # What is marked data-live is fetched anew and swapped, whatever scripts made of it
    call = CallFactory.create(live=True)
    AlarmFactory.create(call=call)

    html = operator.get(f"/admin/calls/call/{call.pk}/change/").content.decode()

    parts = re.findall(r'<(\w+)[^>]*?data-live="([^"]+)"', html)
    names = [name for _, name in parts]
    assert names
    assert len(names) == len(set(names))
    assert not {"true", "false"} & set(names)
    for own in ("call-alarms", "listen"):
        [tag] = re.findall(rf'<section[^>]*id="{own}"[^>]*>', html)
        assert "data-live=" not in tag
