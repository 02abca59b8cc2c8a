"""A key of a call that masks is nowhere: not in one byte of what is kept or told."""

import gzip
import json
import re
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pytest_django import Settings

from calls.drafts import CallFacts
from calls.finishing import call_finish
from calls.models import Call, CallEvent, Recording, StreamingProfile, Tone
from calls.orders.tones import RECEIVED
from calls.storage import recording_open
from calls.tones.masking import masks_tones
from streaming.late_facts import facts_ask_again
from streaming.protocol import MASK, DtmfData, decode, mask_keys
from streaming.recorder import Recorder
from streaming.socket_rows import Opening
from tests.control.wire import call_made, cloud_event, post_callback
from tests.recording.bench import journal
from tests.streaming.desk import OPENED, Desk
from tests.streaming.wire import ALICE, audio, dtmf, metadata

# Words that nothing else says; digits by themselves are in every time.
SPELLED = ("seven", "asterisk", "eight")
# A key where a frame, a callback or a row would have it.
SHAPES = re.compile(rb'"(data|tone|tones|key)"\s*:\s*"?[0-9*#A-Da-d]"?\s*[,}]')
HIDDEN = [
    '{"kind":"DtmfData","dtmfData":{"data":7}}',
    '{"kind":"DtmfData","dtmfData":{"tones":["seven"]}}',
    '{"kind":"DtmfTone","tone":"asterisk","at":{"key":"eight"}}',
    '{"kind":"\\u0044tmfNews","x":"seven"}',
    '{"kind":"DtmfData","dtmfData":{"data":"seven"',
    '["dtmf","asterisk"]',
]


def told(tone: str, number: int = 1) -> Any:
    return cloud_event(RECEIVED, tone=tone, sequenceId=number)


def assert_no_key(kept: bytes) -> None:
    for word in SPELLED:
        assert word.encode() not in kept.lower(), word
    assert not SHAPES.search(kept)


@pytest.mark.parametrize("frame", HIDDEN)
def test_a_frame_nobody_can_read_is_masked_too(frame: str, tmp_path: Path) -> None:
    with Desk(tmp_path) as desk:
        desk.call.mask(masks_tones=True)
        session = desk.socket()
        session.take(metadata(), 0)
        session.take(frame, 1)
        session.take(frame.encode(), 2)
        kept = desk.seal(session).read_bytes()

    assert_no_key(kept)
    assert b"tmf" in kept


def test_a_frame_too_long_to_read_is_masked_too(tmp_path: Path) -> None:
    with Desk(tmp_path) as desk:
        desk.call.mask(masks_tones=True)
        session = desk.socket()
        session.take_too_big(dtmf("seven" * 10_000), 1)
        kept = desk.seal(session).read_bytes()

    assert_no_key(kept)


@given(
    key=st.sampled_from("0123456789*#ABCD"),
    member=st.sampled_from(["data", "Data", "tone", "TONE"]),
    stamp=st.sampled_from(["2026-03-01T12:00:00.1234567Z", "5", 5, None]),
    who=st.sampled_from([ALICE, "", None]),
    more=st.dictionaries(st.sampled_from(["digit", "Extra", "b1"]), st.just("5")),
)
def test_a_masked_frame_says_who_and_when_and_nothing_else(
    key: str, member: str, stamp: object, who: str | None, more: dict[str, str]
) -> None:
    payload = {member: key, "timestamp": stamp, "participantRawId": who} | more
    frame = json.dumps({"kind": "DtmfData", "dtmfData": payload})
    real = decode(frame)
    assert isinstance(real, DtmfData)

    masked = mask_keys(frame)

    again = decode(masked)
    assert isinstance(again, DtmfData)
    assert (again.timestamp, again.participant_raw_id) == (
        real.timestamp,
        real.participant_raw_id,
    )
    assert again.data == MASK
    kept = json.loads(masked)["dtmfData"]
    allowed = {"2026-03-01T12:00:00.1234567Z", ALICE, "", MASK, None}
    assert set(kept.values()) <= allowed
    assert "b1" not in kept


def test_audio_frames_are_kept_whole_in_a_call_that_masks(tmp_path: Path) -> None:
    frames = [audio(number) for number in range(3)]
    torn = '{"kind":"AudioData","audioData":{"data":"!"}}'
    with Desk(tmp_path) as desk:
        desk.call.mask(masks_tones=True)
        session = desk.socket()
        for number, frame in enumerate([metadata(), *frames, torn]):
            session.take(frame, number)
        kept = desk.seal(session).read_bytes()

    assert session.counts.packets == 3
    assert torn.encode() in kept


async def test_a_key_is_masked_as_long_as_the_call_s_facts_are_late(
    tmp_path: Path, settings: Settings
) -> None:
    settings.JOURNAL_DIR = tmp_path
    house, call_id = Recorder(), uuid4()

    late = house.open(call_id, opening(), None, lambda: None)
    late.take(dtmf("seven"), 1)
    known = house.open(call_id, opening(), CallFacts(True), lambda: None)
    known.take(dtmf("4"), 1)
    [masked], [tone] = late.tone_drafts(), known.tone_drafts()
    await house.stop()

    assert (masked.tone, masked.is_masked) == (MASK, True)
    assert (tone.tone, tone.is_masked) == ("4", False)
    assert_no_key(late.journal.path.read_bytes())


def opening() -> Opening:
    return Opening("acs", "", "", OPENED)


@pytest.mark.django_db(transaction=True)
class TestRows:
    """What is in the database, and in storage."""

    @pytest.fixture(autouse=True)
    def masked(self, settings: Settings) -> None:
        settings.CALLBACK_AUTH = "off"
        StreamingProfile.objects.create(name="Own", is_default=True, masks_tones=True)

    def test_callbacks_are_kept_without_their_keys(self) -> None:
        call = call_made()
        recognised = cloud_event(
            "RecognizeCompleted", dtmfResult={"tones": ["seven", "eight"]}
        )
        nameless = told("asterisk", 2)
        del nameless["id"]

        post_callback(call, told("seven"), recognised)
        post_callback(call, nameless)

        events = CallEvent.objects.filter(call=call)
        assert_no_key(json.dumps([each.body for each in events]).encode())
        assert [tone.tone for tone in call.tones.all()] == [MASK, MASK]
        assert all(tone.is_masked for tone in call.tones.all())

    def test_an_id_made_of_the_content_does_not_tell_the_key(self) -> None:
        ids = set()
        for tone in ("seven", "eight"):
            call = call_made(connection_id=None)
            event = told(tone)
            del event["id"]
            post_callback(call, event)
            ids.add(call.events.get().event_id)
            call.delete()

        assert len(ids) == 1

    def test_the_archive_of_a_masked_journal_has_no_key(self) -> None:
        call_id = uuid4()
        journal(call_id, [audio(0), dtmf("seven"), HIDDEN[4]], masks_tones=True)

        call_finish(call_id)

        [tone] = Tone.objects.filter(call_id=call_id)
        assert (tone.tone, tone.is_masked) == (MASK, True)
        [name] = set(Recording.objects.values_list("leftovers", flat=True))
        with recording_open(name) as stored, gzip.open(stored) as lines:
            kept = lines.read()
        assert b"Dtmf" in kept
        assert_no_key(kept.replace(b"\\", b""))

    def test_a_call_whose_profile_is_gone_masks(self, settings: Settings) -> None:
        settings.MEDIA_AUTH = "required"
        call = call_made(profile=None)

        post_callback(call, told("seven"))

        assert masks_tones(None)
        assert [tone.tone for tone in call.tones.all()] == [MASK]

    async def test_a_key_is_masked_until_the_database_says_otherwise(
        self, tmp_path: Path, settings: Settings
    ) -> None:
        settings.JOURNAL_DIR = tmp_path
        profile = await StreamingProfile.objects.acreate(name="Plain")
        row = await Call.objects.acreate(connection_id="1", profile=profile)
        house = Recorder()
        session = house.open(row.pk, opening(), None, lambda: None)
        session.take(dtmf("7"), 1)

        await facts_ask_again(house)
        session.take(dtmf("8"), 2)
        tones = session.tone_drafts()
        await house.stop()

        assert [tone.tone for tone in tones] == [MASK, "8"]
