"""A call's audio as its rows tell of it, for a process that goes on with it live.

Another process had the call before, or this one in a former life. Rows are a few
seconds older than the truth, which lies in journals; finishing tells it.
"""

import time
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import cast
from uuid import UUID

from calls.audio.ledger import LedgerJson
from calls.audio.track import TrackAudio, Window
from calls.drafts import CallFacts, StopWindow, TrackDraft
from calls.instants import microseconds
from streaming.alarms.condition import Moment
from streaming.call_audio import CallAudio, HeardTrack
from streaming.ingest import MediaSession
from streaming.protocol import US


def windows(stops: Iterable[StopWindow]) -> list[Window]:
    """Return ordered stops as the tracks know them."""
    return [
        Window(microseconds(stop.start), microseconds(stop.end) if stop.end else None)
        for stop in stops
    ]


def call_from_rows(call_id: UUID, facts: CallFacts | None) -> CallAudio:
    """Return a call with the tracks that somebody had begun."""
    call = CallAudio(call_id)
    if facts:
        call.stops = windows(facts.stops)
        call.mask(masks_tones=facts.masks_tones)
        for draft in facts.tracks:
            if draft.ledger:
                call.tracks[draft.raw_id, draft.sample_rate] = _track_of(draft)
    return call


def call_resume(call: CallAudio, facts: CallFacts | None) -> None:
    """Go on with a call's alarms; call it before its first media socket is added.

    Whoever has only a call's transcription sees nothing of its audio: it would keep
    alarms up that whoever hears the call has cleared.
    """
    if facts and call.watch.is_new:
        moment = Moment(time.monotonic(), datetime.now(UTC))
        call.watch.carry_on(facts.alarms, call.tracks, moment)


def is_behind(call: CallAudio, facts: CallFacts | None) -> bool:
    """Say whether rows know of more than a call without sockets here: it went on
    elsewhere, and has now come back.
    """
    if facts is None or call.sessions:
        return False
    here = sum(
        track.audio.packets
        for (raw_id, _), track in call.tracks.items()
        if raw_id != US
    )
    heard = (draft.packets for draft in facts.tracks if draft.raw_id != US)
    return sum(heard) > here


def _track_of(draft: TrackDraft) -> HeardTrack:
    audio: TrackAudio[MediaSession] = TrackAudio.resume(
        cast(LedgerJson, draft.ledger),
        origin_us=draft.origin_us,
        packets=draft.packets,
        size=draft.bytes,
        silent_packets=draft.silent_packets,
        arrivals_us=(
            microseconds(draft.first_packet_at),
            microseconds(draft.last_packet_at),
        ),
        is_ours=draft.raw_id == US,
    )
    return HeardTrack(audio, packets_reported=audio.packets)
