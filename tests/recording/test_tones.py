"""DTMF tones: rows while the call runs, the same rows from journals alone."""

import json
import logging
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest

from calls.finishing import call_finish
from calls.identity import tone_id
from calls.models import Call, Recording, Tone
from calls.services import batch_store
from calls.tones.index import MAX_TONES, ToneIndex
from calls.tones.keeping import tone_markers
from streaming.protocol import DtmfData
from tests.factories import CallFactory
from tests.recording.bench import OPENED, journal
from tests.recording.test_rows import batch
from tests.streaming.desk import Desk, feed
from tests.streaming.wire import (
    ALICE,
    BOB,
    START,
    audio,
    dtmf,
    metadata,
    microseconds,
)

pytestmark = [pytest.mark.database, pytest.mark.django_db(transaction=True)]


def tone_at(tone: str, seconds: float, raw_id: str = ALICE) -> str:
    """Return a frame with the time at which the key was pressed."""
    stamp = START + timedelta(seconds=seconds)
    payload = {
        "data": tone,
        "participantRawID": raw_id,
        "timestamp": f"{stamp:%Y-%m-%dT%H:%M:%S}.{stamp.microsecond:06d}0Z",
    }
    return json.dumps({"kind": "DtmfData", "dtmfData": payload})


def stored() -> list[tuple[str, str, int, bool]]:
    rows = Tone.objects.order_by("at_us", "tone")
    return [(row.tone, row.raw_id, row.at_us, row.is_stamped) for row in rows]


def test_finishing_makes_a_row_of_every_tone() -> None:
    call_id = uuid4()
    frames = [audio(0), tone_at("4", 0.5), tone_at("pound", 0.7, BOB), dtmf("1")]
    journal(call_id, frames)

    call_finish(call_id)

    zero = microseconds(START)
    # Without a time of its own, a tone has the moment at which it arrived.
    arrived = microseconds(OPENED) + 2_000 + 3 * 20_000
    assert stored() == [
        ("1", ALICE, arrived, False),
        ("4", ALICE, zero + 500_000, True),
        ("#", BOB, zero + 700_000, True),
    ]


def test_finishing_again_makes_no_second_tone() -> None:
    call_id = uuid4()
    path = journal(call_id, [audio(0), dtmf("1"), dtmf("1")])
    content = path.read_bytes()
    call_finish(call_id)
    once = stored()
    Recording.objects.all().delete()
    call = Call.objects.get(pk=call_id)
    call.connections.update(journal_state="sealed")
    path.write_bytes(content)

    call_finish(call_id)

    assert stored() == once
    assert len(once) == 2


def test_a_later_socket_adds_its_tones_and_keeps_the_others() -> None:
    call_id = uuid4()
    journal(call_id, [audio(0), tone_at("1", 0.1)])
    call_finish(call_id)
    journal(call_id, [audio(100), tone_at("2", 2.1)], after=2)

    call_finish(call_id)

    assert [tone for tone, *_ in stored()] == ["1", "2"]


def test_live_rows_are_the_rows_of_the_archive(tmp_path: Path) -> None:
    with Desk(tmp_path) as desk:
        session = desk.socket()
        feed(session, [metadata(), audio(0), tone_at("7", 0.2)])
        # Two frames of one read arrive in the same microsecond.
        for tone in "88":
            session.take(dtmf(tone), 100_000)
        live = session.tone_drafts()
        desk.seal(session)
        archived = list(desk.replay().tones())

    assert live == archived
    assert len({draft.id for draft in live}) == 3
    assert session.tone_drafts() == []


def test_a_torn_journal_gives_the_tones_it_has() -> None:
    call_id = uuid4()
    path = journal(call_id, [audio(0), dtmf("1"), audio(1), dtmf("2")], is_sealed=False)
    path.write_bytes(path.read_bytes()[:-10])

    call_finish(call_id)

    assert [tone for tone, *_ in stored()] == ["1"]


def test_storing_live_tones_twice_stores_them_once() -> None:
    call_id = uuid4()
    made = batch(call_id)
    index = ToneIndex(call_id, made.connections[0].id, 0)
    index.add(DtmfData("5"), 100)
    again = replace(made, tones=index.drafts())

    batch_store(again)
    batch_store(again)

    named = tone_id(made.connections[0].id, 100, 0)
    assert [row.pk for row in Tone.objects.all()] == [named]


def test_a_flood_of_tones_makes_no_flood_of_rows(tmp_path: Path) -> None:
    with Desk(tmp_path) as desk:
        session = desk.socket()
        session.take(metadata(), 0)
        for number in range(MAX_TONES + 5):
            session.take(dtmf("1"), number)

        assert len(session.tone_drafts()) == MAX_TONES


def test_digits_are_in_no_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    call_id = uuid4()
    journal(call_id, [audio(0), dtmf("secret-digit")])

    call_finish(call_id)

    [row] = Tone.objects.all()
    assert row.tone == "secret-digit"
    assert "secret-digit" not in caplog.text
    assert "secret-digit" not in f"{row} {row!r}"


def test_markers_are_on_the_call_s_clock() -> None:
    call = CallFactory.create(ended=True)
    assert call.origin_us
    for seconds, tone in ((2.5, "#"), (1.25, "3")):
        Tone.objects.create(
            id=uuid4(),
            call=call,
            raw_id=ALICE,
            tone=tone,
            at_us=call.origin_us + round(seconds * 1e6),
        )

    assert tone_markers(call, shows_digits=True) == [
        {"at": 1.25, "kind": "tone", "label": "Tone 3", "raw_id": ALICE},
        {"at": 2.5, "kind": "tone", "label": "Tone #", "raw_id": ALICE},
    ]
    hidden = tone_markers(call, shows_digits=False)
    assert [marker["label"] for marker in hidden] == ["Tone", "Tone"]


def test_a_call_without_audio_has_no_clock_for_markers() -> None:
    call = CallFactory.create()
    Tone.objects.create(id=uuid4(), call=call, tone="1", at_us=1)

    assert tone_markers(call, shows_digits=True) == []
