"""What rows say of transcription, on both databases."""

import gzip
import json
import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.utils import timezone
from pytest_django import Settings

from calls.drafts import ArchiveBatch, ConnectionDraft
from calls.history.media import connection_entries
from calls.history.rows import rows_of
from calls.ingest_facts import transcripts_newest
from calls.journals.recovery import journals_recover
from calls.models import Call, Connection, Recording, TranscriptSegment
from calls.models.states import ArchiveState, StreamingState
from calls.services import batch_store
from calls.storage import recording_open
from calls.transcripts.hearing import Piece
from calls.verification.orphans import orphans_verify
from streaming.archive import Archive
from streaming.handlers.access import CallAccess
from streaming.handlers.line import CallLine
from tests.factories import CallFactory
from tests.streaming.desk import OPENED, Desk
from tests.streaming.wire import ALICE, audio
from tests.streaming.wire import metadata as audio_metadata
from tests.transcription.scribe import Scribe
from tests.transcription.wire import metadata, said, word

pytestmark = [pytest.mark.database, pytest.mark.django_db(transaction=True)]


def segments() -> list[dict[str, Any]]:
    return [
        dict(row) for row in TranscriptSegment.objects.order_by("start_us").values()
    ]


def leftovers() -> list[dict[str, Any]]:
    [name] = set(Recording.objects.exclude(track=None).values_list("leftovers"))
    if not name[0]:
        return []
    with recording_open(name[0]) as stored, gzip.open(stored, "rt") as lines:
        return [json.loads(line) for line in lines]


def test_recovery_rebuilds_every_piece_and_keeps_every_frame(
    settings: Settings,
) -> None:
    frames = [
        metadata(),
        said("Hello.", 0.5, 0.6, words=[word("hello", 0.5, 0.6)], confidence=0.9),
        said("how are", 2, status="Intermediate"),
        said("How are you?", 2, sentimentAnalysisResult={"sentiment": "positive"}),
        '{"kind": "TranscriptionData"}',
    ]
    with Desk(Path(settings.JOURNAL_DIR)) as desk:
        media, scribe = desk.socket(), Scribe(desk)
        for number, frame in enumerate([audio_metadata(), audio(0), audio(1)]):
            media.take(frame, number * 20_000)
        for at, frame in enumerate(frames):
            scribe.hear(frame, at)
        scribe.session.close(1006, "", OPENED + timedelta(seconds=9))
        desk.seal(media)
        batch_store(
            ArchiveBatch(
                connections=[
                    one.draft(process_id=uuid4(), node="desk")
                    for one in (media, scribe.session)
                ],
                subscriptions=list(media.subscription_drafts()),
                segments=scribe.session.segment_drafts(),
            )
        )
    live = segments()
    assert [row["text"] for row in live] == ["Hello.", "How are you?"]
    Call.objects.all().delete()

    [done] = journals_recover(Path(settings.JOURNAL_DIR))

    assert (done.problem, done.recordings) == ("", 1)
    assert segments() == live
    assert Call.objects.get().has_transcript
    kinds = set(Connection.objects.values_list("kind", "malformed", "journal_state"))
    assert kinds == {("media", 0, "kept"), ("transcription", 1, "kept")}
    assert not list(Path(settings.JOURNAL_DIR).glob("*.journal"))
    assert [line["text"] for line in leftovers()] == frames


def test_what_a_handler_wrote_is_shown_and_outlives_its_process(
    settings: Settings,
) -> None:
    told: list[Piece] = []
    with Desk(Path(settings.JOURNAL_DIR)) as desk:
        desk.call.now(OPENED, time.monotonic())
        media = desk.socket()
        for number, frame in enumerate([audio_metadata(), audio(0), audio(1)]):
            media.take(frame, number * 20_000)
        # The database is never asked: the process dies before.
        doors = CallAccess(desk.call, Archive(), lambda: None, told.append)
        line = CallLine("own", doors, print)
        for number, text in ((0, "Good mor"), (1, "Hello?"), (0, "Good morning")):
            line.transcript(
                number=number, raw_id="us", text=text, start_us=number, is_cut=True
            )
        desk.seal(media)

    [done] = journals_recover(Path(settings.JOURNAL_DIR))

    assert done.problem == ""
    last = [told[2].draft, told[1].draft]
    rows = TranscriptSegment.objects.order_by("start_us")
    assert [(row.pk, row.text, row.is_cut, row.source) for row in rows] == [
        (one.id, one.text, True, "realtime") for one in last
    ]
    assert all(piece.is_final for piece in told)
    # Whoever may see the leftovers need not be one who may read transcripts.
    assert "Good" not in json.dumps(leftovers())


def transcribed(desk: Desk) -> Path:
    """Write the journal of a transcription socket of the desk's call."""
    scribe = Scribe(desk)
    for at, frame in enumerate([metadata(), said("Hello.")]):
        scribe.hear(frame, at)
    sealed = scribe.session.close(1000, "", OPENED + timedelta(seconds=9))
    assert sealed is not None
    return sealed.result(timeout=30)


def test_the_frames_of_a_call_without_audio_are_named_by_its_socket(
    settings: Settings,
) -> None:
    with Desk(Path(settings.JOURNAL_DIR)) as desk:
        transcribed(desk)

    [done] = journals_recover(Path(settings.JOURNAL_DIR))

    assert (done.problem, done.recordings) == ("", 0)
    [name] = Connection.objects.values_list("leftovers", flat=True)
    with recording_open(name) as stored, gzip.open(stored, "rt") as lines:
        assert "Hello." in lines.read()
    assert list(orphans_verify(timezone.now() + timedelta(days=1))) == []
    assert Call.objects.get().archive_state == ArchiveState.NONE


def test_text_that_comes_late_leaves_the_recordings_alone(settings: Settings) -> None:
    folder = Path(settings.JOURNAL_DIR)
    with Desk(folder) as desk:
        media = desk.socket()
        for number, frame in enumerate([audio_metadata(), audio(0), "not JSON"]):
            media.take(frame, number * 20_000)
        desk.seal(media)
        list(journals_recover(folder))
        before = list(Recording.objects.values())
        transcribed(desk)

    list(journals_recover(folder))

    assert list(Recording.objects.values()) == before
    call = Call.objects.get()
    assert (call.archive_state, call.has_transcript) == (ArchiveState.FINISHED, True)
    names = set(Connection.objects.values_list("leftovers", flat=True))
    assert len(names) == 2
    later = timezone.now() + timedelta(days=1)
    assert list(orphans_verify(later)) == []


def socket(call: Call, kind: str, **more: Any) -> ConnectionDraft:
    return ConnectionDraft(
        id=uuid4(),
        call_id=call.pk,
        call_connection_id=call.connection_id or "",
        correlation_id="",
        process_id=uuid4(),
        node="desk",
        remote_address="",
        opened_at=OPENED,
        kind=kind,
        **more,
    )


def closed(draft: ConnectionDraft) -> ArchiveBatch:
    ended = replace(draft, closed_at=OPENED + timedelta(seconds=60), close_code=1006)
    return ArchiveBatch(connections=[ended])


def test_only_media_sockets_tell_of_streaming() -> None:
    call = CallFactory.create(streaming_state="off", desired_streaming=True)
    text = socket(call, "transcription")
    media = socket(call, "media", last_packet_at=OPENED + timedelta(seconds=50))

    def state() -> str:
        return str(Call.objects.get(pk=call.pk).streaming_state)

    batch_store(ArchiveBatch(connections=[text]))
    assert state() == StreamingState.OFF
    batch_store(ArchiveBatch(connections=[media]))
    assert state() == StreamingState.STREAMING
    batch_store(closed(text))
    assert state() == StreamingState.STREAMING
    batch_store(ArchiveBatch(connections=[socket(call, "transcription")]))
    batch_store(closed(media))
    assert state() == StreamingState.STALLED


@pytest.mark.parametrize(
    "order", [("media", "transcription"), ("transcription", "media")]
)
def test_a_call_is_finished_when_its_last_socket_has_closed(
    order: tuple[str, str],
) -> None:
    call = CallFactory.create(state="ended", ended_at=OPENED, archive_state="live")
    sockets = [socket(call, kind) for kind in order]
    batch_store(ArchiveBatch(connections=sockets))

    def state() -> str:
        return str(Call.objects.get(pk=call.pk).archive_state)

    batch_store(closed(sockets[0]))
    assert state() == ArchiveState.LIVE
    batch_store(closed(sockets[1]))
    assert state() == ArchiveState.PENDING


def test_the_timeline_says_which_socket_it_was() -> None:
    call = CallFactory.create(state="ended", ended_at=OPENED)
    batch_store(closed(socket(call, "transcription", messages=7)))

    opened, ended = connection_entries(rows_of(call))

    assert opened.what == "Transcription socket opened"
    assert ended.what == "Transcription socket closed"
    assert (ended.details["messages"], "packets" in ended.details) == (7, False)


def test_knows_which_calls_want_text_and_how_far_it_goes() -> None:
    silent = CallFactory.create(state="connected", desired_transcription=True)
    heard = CallFactory.create(state="connected", desired_transcription=True)
    unwanted = CallFactory.create(state="connected")
    over = CallFactory.create(
        state="ended", desired_transcription=True, ended_at=OPENED
    )
    for start in (3, 5, 4):
        TranscriptSegment.objects.create(
            id=uuid4(), call=heard, raw_id=ALICE, source="acs", start_us=start, text="x"
        )
    for call in (silent, heard):
        TranscriptSegment.objects.create(
            id=uuid4(), call=call, raw_id="us", source="realtime", start_us=9, text="x"
        )

    asked = [call.pk for call in (silent, heard, unwanted, over)]

    assert transcripts_newest(asked) == {silent.pk: 0, heard.pk: 5}
