"""The screen and the archive say the same of a call, whatever the network did to it."""

from dataclasses import dataclass
from itertools import starmap
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from calls.drafts import ChunkDraft, TrackDraft
from calls.journals.replay import track_draft
from streaming.ingest import MediaSession
from tests.streaming.desk import Desk
from tests.streaming.wire import ALICE, BOB, PACKET_US, audio, metadata, voice


@dataclass(frozen=True)
class Packet:
    """A packet on its way: what it is, and what the network did to it."""

    number: int
    speaker: str | None
    silent: bool = False
    delay_us: int = 0
    stamp_off: float = 0.0
    copies: int = 1
    socket: int = 0


@dataclass(frozen=True)
class Call:
    """Packets, and when each socket is opened (seconds)."""

    packets: tuple[Packet, ...]
    opens: tuple[float, ...] = (0.0,)


@st.composite
def calls(draw: st.DrawFn) -> Call:
    """A call of one to three sockets that may overlap, on a bad network."""
    length = draw(st.integers(1, 160))
    cuts = sorted(draw(st.lists(st.integers(0, length), max_size=2)))
    clock_jitter = draw(st.sampled_from([0.0, 0.0, 0.2, 2.5]))
    hold = draw(st.integers(0, 40))
    packets = []
    for speaker in draw(st.sampled_from([(ALICE,), (ALICE, BOB), (None,)])):
        lost = draw(st.sets(st.integers(0, length), max_size=40))
        for number in range(length):
            if number in lost:
                continue
            socket = sum(number >= cut for cut in cuts)
            # For a while after a redial the old socket still brings packets.
            if socket and number < cuts[socket - 1] + hold and draw(st.booleans()):
                socket -= 1
            packets.append(
                Packet(
                    number,
                    speaker,
                    silent=draw(st.booleans()),
                    delay_us=draw(st.integers(0, 100_000)),
                    stamp_off=draw(st.floats(-clock_jitter, clock_jitter)),
                    copies=draw(st.sampled_from([1] * 9 + [2])),
                    socket=socket,
                )
            )
    return Call(tuple(packets), (0.0, *(cut * PACKET_US / 1e6 for cut in cuts)))


def arrivals(call: Call) -> list[tuple[int, int, str]]:
    """Return (µs since the first socket, socket, frame) in order of arrival."""
    frames = [
        (round(opened * 1e6), socket, metadata())
        for socket, opened in enumerate(call.opens)
    ]
    for packet in call.packets:
        at = packet.number * PACKET_US + 1_000 + packet.delay_us
        at = max(at, round(call.opens[packet.socket] * 1e6) + 1)
        frame = audio(
            packet.number + packet.stamp_off,
            packet.speaker,
            pcm=voice(packet.number),
            silent=packet.silent,
        )
        frames += [(at, packet.socket, frame)] * packet.copies
    frames.sort()
    # No two at one moment: an event loop hands over one after the other.
    return [
        (at + place, socket, frame) for place, (at, socket, frame) in enumerate(frames)
    ]


def play(desk: Desk, call: Call) -> list[MediaSession]:
    """Let the call happen; flush at the end, as no more packets come."""
    sessions = list(starmap(desk.socket, ((opened,) for opened in call.opens)))
    for at, socket, frame in arrivals(call):
        opened = round(call.opens[socket] * 1e6)
        assert sessions[socket].take(frame, at - opened) is None
    return sessions


def chunk_key(chunk: ChunkDraft) -> tuple[str, str, int]:
    return str(chunk.track_id), str(chunk.connection_id), chunk.number


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(calls())
@example(
    # Two sockets bring the same three seconds at once.
    Call(
        tuple(Packet(n, None, socket=s) for n in range(150) for s in (0, 1)),
        (0.0, 0.0),
    )
)
def test_live_figures_are_the_figures_of_the_archive(call: Call) -> None:
    with TemporaryDirectory() as folder, Desk(Path(folder)) as desk:
        sessions = play(desk, call)
        live_chunks = [
            draft for session in sessions for draft in session.chunk_drafts()
        ]
        waiting = sum(
            track.audio.timeline.pending for track in desk.call.tracks.values()
        )
        live: dict[tuple[str, int], TrackDraft] = {}
        for key, track in desk.call.tracks.items():
            track.audio.flush()
            live[key] = track_draft(desk.call.call_id, key[0], track.audio)
        drafts = [
            session.draft(process_id=desk.call.call_id, node="desk")
            for session in sessions
        ]
        for session in sessions:
            desk.seal(session)

        again = desk.replay()

        assert live == {
            key: track_draft(desk.call.call_id, key[0], track)
            for key, track in again.tracks.items()
        }
        counts = {count.header.connection_id: count for count in again.counts}
        for draft in drafts:
            count = counts[draft.id]
            assert (draft.messages, draft.packets, draft.bytes, draft.malformed) == (
                count.messages,
                count.packets,
                count.bytes,
                count.malformed,
            )
        if not waiting:
            archived = sorted(again.chunks(), key=chunk_key)
            assert sorted(live_chunks, key=chunk_key) == archived
