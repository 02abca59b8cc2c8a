"""Our own side is the same live and replayed, and counts as no caller's."""

import time
from pathlib import Path
from uuid import uuid4

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from calls import identity
from calls.drafts import UtteranceDraft
from calls.journals.replay import track_draft
from calls.journals.said import remark_of
from streaming.ingest import NOT_US
from streaming.live import call_snapshot
from streaming.protocol import US
from tests.streaming.desk import OPENED, Desk, feed
from tests.streaming.wire import ALICE, START, audio, metadata, microseconds, voice

BEGAN = microseconds(START)


@given(
    spoken=st.lists(
        st.tuples(st.integers(-50_000, 3_000_000), st.integers(1, 480)),
        min_size=1,
        max_size=30,
    ),
    sockets=st.integers(1, 3),
)
@settings(
    max_examples=30,
)
def test_our_side_is_replayed_as_it_was_live(
    tmp_path_factory: pytest.TempPathFactory,
    spoken: list[tuple[int, int]],
    sockets: int,
) -> None:
    folder = tmp_path_factory.mktemp("agreement")
    with Desk(folder) as desk:
        desk.call.now(OPENED, time.monotonic())
        opened = [desk.socket() for _ in range(sockets)]
        for number, session in enumerate(opened):
            session.take(metadata(), 0)
            session.take(audio(number), 0)
        stamp = BEGAN
        for number, (pause, samples) in enumerate(spoken):
            stamp += pause
            # A redial now and then.
            now = opened[number * sockets // len(spoken)]
            now.spoke(16_000, voice(number, samples), stamp)
        live = track_draft(desk.call.call_id, US, desk.call.tracks[US, 16_000].audio)
        chunks = [one for session in opened for one in session.chunk_drafts()]
        ours = identity.track_id(desk.call.call_id, US, 16_000)
        for session in opened:
            desk.seal(session)

        again = desk.replay()

    replayed = track_draft(desk.call.call_id, US, again.tracks[US, 16_000])
    assert replayed.ledger == live.ledger
    assert (replayed.packets, replayed.bytes) == (live.packets, live.bytes)
    assert (replayed.origin_us, replayed.completeness) == (live.origin_us, 1.0)
    assert {one for one in chunks if one.track_id == ours} == {
        one for one in again.chunks() if one.track_id == ours
    }
    # It came over no socket: one packet of ALICE's is all that did.
    assert [count.packets for count in again.counts] == [1] * sockets
    assert [session.counts.packets for session in opened] == [1] * sockets


def test_what_we_say_is_in_no_figure_of_the_callers(tmp_path: Path) -> None:
    with Desk(tmp_path) as desk:
        desk.call.now(OPENED, time.monotonic())
        session = desk.socket()
        feed(session, [metadata(), audio(0), audio(1, silent=True)])
        session.spoke(16_000, voice(1), BEGAN)
        desk.call.settle()

        shown = call_snapshot(desk.call)

    assert (shown["packets"], shown["completeness"]) == (2, 1.0)
    assert shown["overtalk_ms"] == 0
    assert [track["raw_id"] for track in shown["tracks"]] == [ALICE, US]
    assert list(desk.call.callers) == [(ALICE, 16_000)]


def test_a_sealed_journal_has_what_was_heard_of_an_utterance_without_an_end(
    tmp_path: Path,
) -> None:
    with Desk(tmp_path) as desk:
        desk.call.now(OPENED, time.monotonic())
        session = desk.socket()
        session.take(metadata(), 0)
        greeting = UtteranceDraft(
            uuid4(), desk.call.call_id, "prompt", "playing", "welcome", OPENED
        )
        session.remark(remark_of(greeting))
        for number in range(35):
            session.spoke(16_000, voice(number), BEGAN + number * 20_000)
        desk.seal(session)

        [said] = desk.replay().utterances()

    assert (said.id, said.state, said.played_ms) == (greeting.id, "playing", 700)


def test_a_peer_cannot_speak_as_us(tmp_path: Path) -> None:
    with Desk(tmp_path) as desk:
        session = desk.socket()
        feed(session, [metadata(), audio(0, US)])
        desk.seal(session)

        again = desk.replay()

    assert list(desk.call.tracks) == list(again.tracks) == [(NOT_US, 16_000)]
