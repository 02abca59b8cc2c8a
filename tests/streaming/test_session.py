"""One media socket: what it keeps, what it counts, what it refuses."""

from pathlib import Path

import pytest

from calls.journals.reading import Kind, read
from calls.journals.replay import track_draft
from streaming.call_audio import MAX_TRACKS
from streaming.ingest import MediaSession
from streaming.protocol.session import Refused
from tests.streaming.desk import OPENED, Desk, feed, records
from tests.streaming.wire import (
    ALICE,
    BOB,
    PACKET_US,
    SAMPLES,
    START,
    audio,
    dtmf,
    metadata,
    microseconds,
    transcription,
    voice,
)


@pytest.fixture
def desk(tmp_path: Path):  # type: ignore[no-untyped-def] # a generator fixture
    with Desk(tmp_path) as desk:
        yield desk


def test_keeps_every_kind_of_frame_as_it_came(desk: Desk) -> None:
    frames = {
        Kind.METADATA: metadata(),
        Kind.DTMF: dtmf("5"),
        Kind.TRANSCRIPTION: transcription("good morning"),
        Kind.UNKNOWN: '{"kind": "FromTheFuture"}',
        Kind.MALFORMED: '{"kind": "AudioData"}',
    }
    session = desk.socket()

    assert feed(session, [*frames.values(), audio(0)]) is None

    kept = dict(records(desk.seal(session)))
    assert {kind: kept[kind].decode() for kind in frames} == frames
    assert kept[Kind.AUDIO] == voice(0)


def test_counts_what_came_over_the_socket(desk: Desk) -> None:
    session = desk.socket()

    feed(session, [metadata(), audio(0), audio(1, BOB), "{", '{"kind":"New"}'])

    counted = session.draft(process_id=desk.call.call_id, node="desk")
    assert (counted.messages, counted.packets, counted.bytes) == (5, 2, 1280)
    assert (counted.malformed, counted.unknown, counted.unjournaled) == (1, 1, 0)
    assert counted.last_fault
    assert counted.subscription_id == "sub-1"
    assert (counted.opened_at, counted.closed_at) == (OPENED, None)


def test_refuses_fifty_malformed_frames_in_a_row_and_keeps_them(desk: Desk) -> None:
    session = desk.socket()
    bad = [f"not JSON {number}" for number in range(60)]

    refused = feed(session, [metadata(), *bad])

    assert isinstance(refused, Refused)
    assert refused.close_code == 1007
    kept = [
        text for kind, text in records(desk.seal(session)) if kind == Kind.MALFORMED
    ]
    assert [text.decode() for text in kept] == bad[:50]
    assert session.draft(process_id=desk.call.call_id, node="").malformed == 50


@pytest.mark.parametrize(
    ("frames", "code"),
    [
        ([audio(0)], 1007),
        ([metadata(), b"\x00\x01"], 1003),
        ([metadata(encoding="opus")], 1003),
    ],
    ids=["audio before metadata", "binary", "not PCM"],
)
def test_refuses_what_acs_would_not_send_and_keeps_it(
    desk: Desk, frames: list[str | bytes], code: int
) -> None:
    session = desk.socket()

    refused = feed(session, frames)

    assert refused is not None
    assert refused.close_code == code
    kind, kept = records(desk.seal(session))[-2]
    last = frames[-1]
    assert kind == Kind.MALFORMED
    assert kept == (last if isinstance(last, bytes) else last.encode())
    [count] = desk.replay().counts
    assert count.draft().malformed == session.counts.malformed == 1


def test_refuses_more_participants_than_a_call_can_have(desk: Desk) -> None:
    session = desk.socket()
    crowd = [audio(0, f"8:acs:{number}") for number in range(MAX_TRACKS + 1)]

    refused = feed(session, [metadata(), *crowd])

    assert refused is not None
    assert refused.close_code == 1008
    assert len(desk.call.tracks) == MAX_TRACKS
    kept = records(desk.seal(session))
    assert (Kind.MALFORMED, crowd[-1].encode()) in kept


def test_takes_tones_of_more_participants_than_a_journal_can_name(desk: Desk) -> None:
    session = desk.socket()
    feed(session, [metadata(), audio(0)])

    for number in range(66_000):
        session.take(dtmf("1", f"4:{number}"), 40_000)

    with read(desk.seal(session)) as journal:
        assert sum(record.kind == Kind.DTMF for record in journal.records()) == 66_000


def test_refuses_subscriptions_without_end(desk: Desk) -> None:
    session = desk.socket()

    refused = feed(session, [metadata(subscription=f"s{n}") for n in range(1000)])

    assert refused is not None
    assert refused.close_code == 1008
    assert len(session.subscriptions) <= 100


def test_a_track_goes_on_over_a_redial_with_the_loss_on_record(desk: Desk) -> None:
    first = desk.socket()
    feed(first, [metadata(), *(audio(n) for n in range(100))])
    desk.seal(first, None)
    second = desk.socket(after=3.0)

    feed(second, [metadata(), *(audio(n) for n in range(150, 200))])

    [track] = desk.call.tracks.values()
    draft = track_draft(desk.call.call_id, ALICE, track.audio)
    assert (draft.packets, draft.samples) == (150, 200 * SAMPLES)
    assert (draft.gap_count, draft.gap_samples) == (1, 50 * SAMPLES)
    assert draft.completeness == 150 / 200


def test_a_newer_socket_of_a_call_sends_the_older_one_away(desk: Desk) -> None:
    sent_away: list[MediaSession] = []
    old, new = desk.socket(), desk.socket()
    old.superseded = lambda: sent_away.append(old)
    new.superseded = lambda: sent_away.append(new)
    # Nor does the older one, when it speaks late, send the newer one away.
    feed(old, [metadata(), audio(0)])
    assert sent_away == []

    feed(new, [metadata()])

    assert sent_away == [old]


def test_figures_are_exact(desk: Desk) -> None:
    session = desk.socket()
    loud = (12_000).to_bytes(2, "little", signed=True) * SAMPLES
    numbers = [*range(100), *range(110, 150)]
    frames = [audio(n, pcm=loud, silent=n % 4 == 0) for n in numbers]
    frames[60:60] = [frames[59]]

    feed(session, [metadata(), *frames])

    [track] = desk.call.tracks.values()
    draft = track_draft(desk.call.call_id, ALICE, track.audio)
    silent = sum(n % 4 == 0 for n in numbers)
    assert (draft.packets, draft.bytes) == (141, 141 * 640)
    assert draft.silent_packets == silent
    assert draft.talk_samples == (140 - silent) * SAMPLES
    assert draft.samples == 150 * SAMPLES
    assert (draft.gap_count, draft.gap_samples) == (1, 10 * SAMPLES)
    assert (draft.duplicates, draft.late) == (1, 0)
    assert draft.peak_dbfs == pytest.approx(-8.725, abs=0.001)
    assert draft.rms_dbfs == pytest.approx(-8.725, abs=0.001)
    assert draft.origin_us == microseconds(START)
    assert draft.completeness == pytest.approx(140 / 150)


def test_jitter_is_that_of_rfc_3550(desk: Desk) -> None:
    session = desk.socket()
    feed(session, [metadata()])

    jitter, before = 0.0, 0
    for number in range(200):
        shift = (number * 7919) % 9_000
        session.take(audio(number), number * PACKET_US + shift)
        if number:
            jitter += (abs(shift - before) - jitter) / 16
        before = shift

    [track] = desk.call.tracks.values()
    draft = track_draft(desk.call.call_id, ALICE, track.audio)
    assert draft.jitter_us == pytest.approx(jitter, abs=1)


def test_says_that_a_subscription_is_mixed_once_it_has_audio(desk: Desk) -> None:
    session = desk.socket()
    feed(session, [metadata()])
    [unknown] = session.subscription_drafts()

    feed(session, [audio(0, None)])

    [known] = session.subscription_drafts()
    assert (unknown.is_mixed, known.is_mixed) == (None, True)


def test_a_change_of_rate_makes_another_track(desk: Desk) -> None:
    session = desk.socket()
    feed(session, [metadata(), audio(0)])

    feed(session, [metadata(24_000, "sub-2"), audio(1, pcm=voice(1, 480))])

    assert set(desk.call.tracks) == {(ALICE, 16_000), (ALICE, 24_000)}


def test_closing_twice_is_closing_once(desk: Desk) -> None:
    session = desk.socket()
    desk.seal(session, 1001)

    assert session.close(1000, "again", OPENED) is None

    assert session.counts.close_code == 1001


def test_closing_one_socket_leaves_the_other(desk: Desk) -> None:
    one, other = desk.socket(), desk.socket()

    desk.seal(one)

    assert desk.call.sessions == [other]
    assert feed(other, [metadata(), audio(0)]) is None


def test_a_long_ledger_is_written_less_often(desk: Desk) -> None:
    session = desk.socket()
    feed(session, [metadata(), *(audio(n, silent=n % 2 == 0) for n in range(1000))])
    written = [bool(list(desk.call.drafts(0.0)))]

    for second in (1.0, 1.9, 2.1):
        session.take(audio(1000 + second * 10), 20_100_000)
        written.append(bool(list(desk.call.drafts(second))))

    # A thousand runs, of which 500 are written per second.
    assert written == [True, False, False, True]


def test_the_last_figures_of_a_call_do_not_wait(desk: Desk) -> None:
    session = desk.socket()
    feed(session, [metadata(), *(audio(n, silent=n % 2 == 0) for n in range(1000))])
    list(desk.call.drafts(0.0))
    session.take(audio(1000), 20_100_000)
    desk.seal(session)

    [draft] = desk.call.drafts(0.1)

    assert draft.packets == 1001
    assert list(desk.call.drafts(0.2)) == []
