"""A call of which one ingest process has only a part, or not the end."""

import signal
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID, uuid4

import pytest
import uvicorn
from asgiref.sync import sync_to_async
from pytest_django import Settings

from calls.alarms.kinds import Kind, call_key
from calls.drafts import AlarmDraft, ArchiveBatch, CallFacts
from calls.journals.reading import Kind as Record
from calls.live.speaking import PlayPrompt, encode
from calls.models import Call
from streaming.draining import DrainingServer
from streaming.ingest import MediaSession, Opening
from streaming.recorder import Recorder
from streaming.room import NoRoomError
from streaming.transcription.desk import GRACE
from tests.factories import CallFactory
from tests.streaming.desk import OPENED, records
from tests.streaming.wire import metadata


@pytest.fixture
async def house(settings: Settings, tmp_path: Path) -> AsyncIterator[Recorder]:
    """Return a recorder whose rows go nowhere."""
    settings.JOURNAL_DIR = tmp_path
    settings.REDIS_URL = "redis://127.0.0.1:9/0"
    house = Recorder()
    house.start = lambda: None  # type: ignore[method-assign]
    yield house
    await house.speaking.stop()
    house.journals.close()
    house.archive.close(wait=True)


def opening() -> Opening:
    return Opening("acs", "", "", OPENED)


def dead_air(call_id: UUID) -> AlarmDraft:
    at = datetime.now(UTC)
    key = call_key(call_id, Kind.DEAD_AIR)
    return AlarmDraft(key, "dead_air", 2, call_id, "Nobody.", at, at, at)


def told(house: Recorder) -> list[AlarmDraft]:
    """Return the alarms that wait for the database."""
    batch: ArchiveBatch = house.archive._waiting()
    return list(batch.alarms)


async def test_alarms_are_kept_up_by_who_hears_the_call_only(house: Recorder) -> None:
    call_id = uuid4()
    facts = CallFacts(True, alarms=[dead_air(call_id)])

    scribe = house.transcripts.take(call_id, opening(), facts, lambda: None)
    house.rows.put(scribe.call, (), 0.0)
    house.transcripts.close(scribe, 1000, "")
    house.rows.put(scribe.call, (), 0.0)
    assert told(house) == []

    house.open(call_id, opening(), facts, lambda: None)
    assert [alarm.kind for alarm in told(house)] == ["dead_air"]


async def test_an_end_waits_for_transcription_too(
    house: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streaming.draining.recorder", lambda: house)
    scribe = house.transcripts.take(uuid4(), opening(), None, lambda: None)
    server = DrainingServer(uvicorn.Config("nothing:here"), drain_seconds=600)

    server.handle_exit(signal.SIGTERM, None)
    assert house.streams == 0
    assert not await server.on_tick(1)

    house.transcripts.close(scribe, 1000, "")
    assert await server.on_tick(1)


async def test_a_socket_that_finds_no_room_takes_no_transcript_along(
    house: Recorder, monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    call_id, facts = uuid4(), CallFacts(True)
    scribe = house.transcripts.take(call_id, opening(), facts, lambda: None)
    call = scribe.call
    monkeypatch.setattr("streaming.recorder.is_behind", lambda *_: True)
    settings.MIN_FREE_MB = 10**12

    with pytest.raises(NoRoomError):
        house.transcripts.take(call_id, opening(), facts, lambda: None)
    assert scribe.call is house.calls[call_id] is call

    settings.MIN_FREE_MB = 0
    newer = house.transcripts.take(call_id, opening(), facts, lambda: None)
    assert scribe.call is house.calls[call_id] is newer.call
    assert newer.call is not call
    assert newer.call.scribes == [scribe, newer]


def heard(house: Recorder, call_id: UUID) -> MediaSession:
    """Open a socket over which the call may be spoken into, and its audio begins."""
    facts = CallFacts(True, is_bidirectional=True)
    session = house.open(call_id, opening(), facts, lambda: None)
    session.take(metadata(), 0)
    return session


def order(house: Recorder, call_id: UUID) -> None:
    """Order a prompt, as web does."""
    prompt = PlayPrompt(
        call=str(call_id),
        command=str(uuid4()),
        prompt=str(uuid4()),
        name="welcome",
        audio={},
    )
    house.speaking._take(encode(prompt))


def said(house: Recorder) -> list[tuple[str, str]]:
    return [(one.name, one.state) for one in house.told.utterances.values()]


async def test_what_waits_for_a_socket_outlives_a_time_that_others_had_the_call(
    house: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    call_id = uuid4()
    first = heard(house, call_id)
    house.close(first, 1006, "")
    order(house, call_id)
    first.call.remark({"event": "remarked"})
    # ACS dialled another process, which wrote rows, and now this one again.
    monkeypatch.setattr("streaming.recorder.is_behind", lambda *_: True)
    scribe = house.transcripts.take(call_id, opening(), CallFacts(True), lambda: None)
    order(house, call_id)

    second = heard(house, call_id)

    assert scribe.call is second.call is not first.call
    assert said(house) == [("welcome", "queued")] * 2
    assert second.call.speaker is not None
    assert second.call.speaker.is_speaking
    sealed = second.close(1000, "", datetime.now(UTC))
    assert sealed is not None
    notes = [text for kind, text in records(sealed.result(60)) if kind == Record.NOTE]
    assert b'{"event": "remarked"}' in notes


async def test_what_ends_late_is_remarked_where_the_call_goes_on(
    house: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    call_id = uuid4()
    first = heard(house, call_id)
    house.close(first, 1006, "")
    monkeypatch.setattr("streaming.recorder.is_behind", lambda *_: True)
    house.close(heard(house, call_id), 1006, "")
    third = heard(house, call_id)

    # Such as its handler, which has some seconds.
    first.call.remark({"event": "ended"})

    sealed = third.close(1000, "", datetime.now(UTC))
    assert sealed is not None
    notes = [text for kind, text in records(sealed.result(60)) if kind == Record.NOTE]
    assert b'{"event": "ended"}' in notes


async def test_an_order_waits_for_a_media_socket_while_one_of_transcription_is_open(
    house: Recorder,
) -> None:
    call_id = uuid4()
    house.transcripts.take(call_id, opening(), CallFacts(True), lambda: None)
    house.close(heard(house, call_id), 1006, "")

    order(house, call_id)
    assert said(house) == []

    heard(house, call_id)
    assert said(house) == [("welcome", "queued")]


@pytest.mark.django_db(transaction=True)
async def test_a_socket_that_outlives_its_call_is_closed_after_a_grace(
    house: Recorder,
) -> None:
    told: list[str] = []
    row: Call = await sync_to_async(CallFactory.create)(state="connected")
    house.transcripts.take(row.pk, opening(), CallFacts(True), told.append)

    await house.transcripts.end_over(0.0)
    await Call.objects.filter(pk=row.pk).aupdate(state="ended", ended_at=OPENED)
    await house.transcripts.end_over(100.0)
    await house.transcripts.end_over(100.0 + GRACE - 1)
    assert told == []

    await house.transcripts.end_over(100.0 + GRACE)
    await house.transcripts.end_over(101.0 + GRACE)
    assert told == ["the call is over"]
