"""What a transcription socket says, when it was said, and that finishing agrees."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from calls.journals.reading import Kind
from streaming.protocol.session import Refused
from tests.streaming.desk import OPENED, Desk, records
from tests.streaming.wire import ALICE, BOB, PACKET_US, audio, dtmf, microseconds
from tests.streaming.wire import metadata as audio_metadata
from tests.transcription.scribe import OPENED_US, SECOND, Scribe
from tests.transcription.wire import TICKS, metadata, said, word

EPOCH_TICKS = 621_355_968_000_000_000
LAST_TICKS = 3_155_378_975_999_999_999


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with Desk(tmp_path) as desk:
        yield desk


def date_ticks(seconds: float) -> int:
    """Return a moment of the desk's call as .NET writes dates."""
    return EPOCH_TICKS + (OPENED_US + round(seconds * SECOND)) * 10


def hear_audio(desk: Desk, late_us: int, packets: int = 50) -> None:
    """Bring audio that arrives so much later than it was captured."""
    media = desk.socket()
    media.take(audio_metadata(), 0)
    for number in range(packets):
        captured_us = number * PACKET_US
        frame = audio(number, start=OPENED)
        assert media.take(frame, captured_us + PACKET_US + late_us) is None


def test_small_offsets_count_from_the_metadata_on_the_clock_of_the_audio(
    desk: Desk,
) -> None:
    hear_audio(desk, late_us=300_000)
    scribe = Scribe(desk)

    scribe.hear(metadata(), 1.3)
    scribe.hear(
        said("Good morning.", 2, 1.5, words=[word("good", 2, 0.4), word("", 3, 0.5)]),
        5,
    )

    # What arrived at 1.3 s was sent at 1.0 s by the clock that stamps the audio.
    assert scribe.starts == [3.0]
    [draft] = scribe.session.segment_drafts()
    assert draft.duration_us == 1_500_000
    assert draft.words == [("good", 0, 400_000), ("", 1_000_000, 500_000)]


def test_how_long_a_socket_had_to_wait_for_us_is_not_in_its_offsets(desk: Desk) -> None:
    scribe = Scribe(desk, after=1, waited=0.4)
    scribe.hear(metadata(), 1.01)
    scribe.hear(said("Good morning.", 2, 1), 5)
    again = Scribe(desk, after=10, waited=0.4)
    # A redial, whose offsets begin anew; nothing but a socket begins there.
    again.hear(metadata("sub-2"), 10.01)
    again.hear(said("Goodbye.", 3, 1), 15)

    live = [draft for one in (scribe, again) for draft in one.session.segment_drafts()]
    for one in list(desk.call.transcription_sessions):
        one.close(1000, "the end", OPENED)
    desk.journals.close()

    assert scribe.starts == [1.01 - 0.4 + 2]
    assert again.starts == [10.01 + 3]
    assert list(desk.replay().segments()) == live


def test_transcription_that_is_ordered_later_begins_then(desk: Desk) -> None:
    scribe = Scribe(desk, waited=0.4)

    scribe.hear(metadata(), 30)
    scribe.hear(said("Good morning.", 2, 1), 35)

    assert scribe.starts == [32]


@pytest.mark.parametrize("is_inverted", [False, True])
def test_dates_in_ticks_are_exact_beyond_what_a_float_holds(
    desk: Desk, is_inverted: bool
) -> None:
    def ticks(seconds: float) -> int:
        date = date_ticks(seconds) + 7
        return LAST_TICKS - date if is_inverted else date

    scribe = Scribe(desk)
    scribe.hear(metadata(), 1)
    words = [{"text": "ja", "offset": ticks(2.000_003), "duration": 10}]
    frame = said("Ja.", None, offset=ticks(2.000_001), duration=41, words=words)

    scribe.hear(frame, 3)

    [draft] = scribe.session.segment_drafts()
    # The seventh digit is below a microsecond.
    assert abs(draft.start_us - OPENED_US - 2_000_001) <= is_inverted
    assert draft.words == [("ja", 2, 1)]
    assert draft.raw == {"offset": str(ticks(2.000_001)), "duration": "41"}
    assert int(draft.raw["offset"]) > 2**53


@pytest.mark.parametrize(
    ("offset", "start"), [(61.0, 62.0), (1.0, 62.0)], ids=["goes on", "begins anew"]
)
def test_behind_a_redial_offsets_may_go_on_or_begin_anew(
    desk: Desk, offset: float, start: float
) -> None:
    first = Scribe(desk)
    first.hear(metadata(), 1)
    first.hear(said("One.", 2), 4.5)
    second = Scribe(desk, after=60)
    second.hear(metadata(), 61)

    second.hear(said("Two.", offset), 63.6)

    assert first.starts + second.starts == [3.0, start]


def test_a_piece_that_is_told_again_is_one_piece(desk: Desk) -> None:
    first = Scribe(desk)
    first.hear(metadata(), 0)
    first.hear(said("Yes.", 2), 3.5)
    second = Scribe(desk, after=5)
    second.hear(metadata(), 5)

    second.hear(said("Yes.", 2), 5.1)
    second.hear(said("Yes.", 2, raw_id=BOB), 5.2)
    second.hear(said("Yes.", 5.5), 7)
    second.hear(said("No.", 5.5), 7)

    heard = [(piece.draft.raw_id, piece.draft.text) for piece in second.pieces]
    assert heard == [(BOB, "Yes."), (ALICE, "Yes."), (ALICE, "No.")]
    ids = {piece.draft.id for piece in (*first.pieces, *second.pieces)}
    assert len(ids) == 4


def test_what_is_being_said_is_shown_and_not_stored(desk: Desk) -> None:
    scribe = Scribe(desk)
    scribe.hear(metadata(), 0)

    for text, status in (("good", "Intermediate"), ("good mor", "intermediate")):
        scribe.hear(said(text, 1, status=status), 2)
    scribe.hear(said("Good morning.", 1), 2.5)

    assert [piece.is_final for piece in scribe.pieces] == [False, False, True]
    assert scribe.pieces[0].draft.id == scribe.pieces[1].draft.id
    assert [one.text for one in scribe.session.segment_drafts()] == ["Good morning."]
    assert scribe.session.segment_drafts() == []


@pytest.mark.parametrize(
    "more",
    [
        {"words": None},
        {"words": []},
        {"words": [{"text": "yes"}, {"text": "no", "offset": 3, "duration": 2**62}]},
        {"resultStatus": "FINAL", "format": "DISPLAY"},
        {"resultStatus": None, "format": None},
        {"resultStatus": "recognised"},
        {"confidence": None, "languageIdentified": None},
        {"confidence": 7.5},
        {"sentimentAnalysisResult": None},
        {"weather": {"sky": ["clear"]}},
        {"offset": None, "duration": None},
        {"offset": 2**63 - 1, "duration": 2**63 - 1},
        {"offset": 10**17},
        {"participantRawID": None},
    ],
    ids=str,
)
def test_no_spelling_of_a_piece_loses_it(desk: Desk, more: dict[str, Any]) -> None:
    scribe = Scribe(desk)
    scribe.hear(metadata(), 0)

    scribe.hear(said("Yes or no?", 2, **more), 3.4)

    [draft] = scribe.session.segment_drafts()
    assert draft.text == "Yes or no?"
    # Nowhere near: the piece was said before it was told, and soon before.
    assert 2 <= (draft.start_us - OPENED_US) / SECOND <= 3.4
    assert all(start < 86_400 * SECOND for _, start, _ in draft.words)


def test_keeps_every_frame_as_it_came_and_closes_for_a_flood_only(desk: Desk) -> None:
    scribe = Scribe(desk)
    frames = {
        Kind.TRANSCRIPTION: said("Hello.", 0),
        Kind.UNKNOWN: '{"kind": "FromTheFuture"}',
        Kind.MALFORMED: '{"kind": "TranscriptionData", "transcriptionData": {}}',
    }
    for at, frame in enumerate(frames.values()):
        scribe.hear(frame, at)
    flood = [scribe.session.take("{", 4 * SECOND) for _ in range(50)]

    assert flood[:-2] == [None] * 48
    assert isinstance(flood[-2], Refused)
    sealed = scribe.session.close(1000, "the end", OPENED)
    assert sealed is not None
    kept = records(sealed.result(timeout=30))
    for kind, frame in frames.items():
        assert (kind, frame.encode()) in kept
    assert [text for kind, text in kept if kind == Kind.MALFORMED][1:] == [b"{"] * 50


def test_no_repr_shows_what_was_said(desk: Desk) -> None:
    scribe = Scribe(desk)
    scribe.hear(said("Secret.", 1, words=[word("secret", 1, 1)]), 3)

    assert "ecret" not in repr(scribe.pieces)


def test_finishing_makes_the_same_pieces_of_the_journals(desk: Desk) -> None:
    hear_audio(desk, late_us=120_000)
    first = Scribe(desk)
    first.hear(metadata(), 1)
    first.hear(said("One.", 1), 3.2)
    first.hear(said("and", 2.5, status="Intermediate"), 4)
    hear_audio(desk, late_us=40_000, packets=100)
    first.hear(said("Two.", 3, words=[word("two", 3, 0.3)]), 5)
    second = Scribe(desk, after=30)
    second.hear(metadata("sub-2", "de-DE"), 30.5)
    second.hear(said("Two.", 3, words=[word("two", 3, 0.3)]), 31)
    second.hear(said("Drei.", 31, languageIdentified="de-DE", confidence=0.5), 33)
    second.hear(said("Vier.", None), 34)
    second.hear(json.dumps({"kind": "TranscriptionData"}), 35)
    live = [draft for one in (first, second) for draft in one.session.segment_drafts()]

    for media in list(desk.call.sessions):
        media.close(1000, "the end", OPENED)
    for scribe in list(desk.call.transcription_sessions):
        scribe.close(1000, "the end", OPENED)
    desk.journals.close()

    assert [one.text for one in live] == ["One.", "Two.", "Drei.", "Vier."]
    assert list(desk.replay().segments()) == live
    assert live[0].start_us == OPENED_US + 2 * SECOND - 120_000
    assert live[1].start_us == OPENED_US + 4 * SECOND - 40_000


def test_a_tick_is_a_tenth_of_a_microsecond() -> None:
    assert date_ticks(0) // 10 - EPOCH_TICKS // 10 == microseconds(OPENED)
    assert TICKS == 10 * SECOND


def test_what_has_no_time_was_said_just_before_it_was_told_by_the_audios_clock(
    desk: Desk,
) -> None:
    hear_audio(desk, late_us=300_000)
    scribe = Scribe(desk)
    scribe.hear(metadata(), 1)

    scribe.hear(said("Yes.", None, duration=5_000_000), 3.8)

    assert scribe.starts == [3.0]


@pytest.mark.parametrize("is_masked", [False, True])
def test_a_key_on_this_socket_is_kept_unless_digits_are_masked(
    desk: Desk, is_masked: bool
) -> None:
    desk.call.masks_tones = is_masked
    scribe = Scribe(desk)
    scribe.hear(dtmf("7"), 1)

    sealed = scribe.session.close(1000, "the end", OPENED)
    assert sealed is not None
    kept = [
        text
        for kind, text in records(sealed.result(timeout=30))
        if kind == Kind.UNKNOWN
    ]
    assert [b"7" in text for text in kept] == [not is_masked]
