"""Reads for one screen: everything the page of a call shows."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypedDict

from django.conf import settings
from django.contrib.staticfiles import finders
from django.contrib.staticfiles.storage import staticfiles_storage
from django.urls import reverse
from django.utils import timezone

from calls import formats
from calls.history import rows_of
from calls.history.page import TimelinePage, limit_of, timeline_page_of
from calls.models import (
    Call,
    Participant,
    Recording,
    RecordingState,
    Subscription,
    Track,
    TranscriptionState,
)
from calls.models.states import ArchiveState
from calls.sockets import UNTOLD, SocketRow, trouble_words
from streaming.protocol import MIXED, US

WAVESURFER = "vendor/wavesurfer/wavesurfer.esm.js"


class Hole(TypedDict):
    """A stretch without audio: `g` gap, `x` nobody asked for audio. In seconds."""

    kind: str
    start: float
    seconds: float


class PlayerTrack(TypedDict):
    """One recording for the player.

    `offset` is its start on the call's clock. `number` is the speaker's key, 0 for the
    mix.
    """

    id: str
    label: str
    raw_id: str
    mix: bool
    number: int
    offset: float
    seconds: float
    bytes: str
    audio: str
    peaks: str
    flac: str
    wav: str
    holes: list[Hole]


@dataclass(frozen=True, slots=True)
class PersonRow:
    """One participant with one of their tracks, or with none."""

    person: Participant
    track: Track | None

    @property
    def name(self) -> str:
        """Who that is."""
        return formats.who(self.person.display_name, self.person.raw_id)

    @property
    def jitter_seconds(self) -> float:
        """How unevenly packets came."""
        return self.track.jitter_us / 1e6 if self.track else 0.0


@dataclass(frozen=True, slots=True)
class CallPage:
    """Everything about one call, read in a fixed number of queries."""

    call: Call
    seconds: float
    overtalk: float | None
    node: str
    people: Sequence[PersonRow]
    subscriptions: Sequence[Subscription]
    sockets: Sequence[SocketRow]
    untold: str
    troubles: Sequence[str]
    timeline: TimelinePage
    failed_recordings: Sequence[Recording]
    player: Sequence[PlayerTrack]
    # The player's zero, ms since 1970, and the zone of its times of day.
    origin_ms: int
    zone: str
    has_holes: bool
    archive_words: str
    wavesurfer: str

    @property
    def is_moving(self) -> bool:
        """Say whether the page is told what is new: the call lasts, or is finished."""
        return self.timeline.is_moving

    @property
    def has_words(self) -> bool:
        """Say whether there is a transcript, or was to be, or may still be."""
        call = self.call
        is_off = call.transcription_state == TranscriptionState.OFF
        return call.has_transcript or self.is_moving or not is_off

    @property
    def overtalk_share(self) -> float | None:
        """Return the share of the call in which two or more talked at once."""
        if self.overtalk is None or not self.seconds:
            return None
        return min(self.overtalk / self.seconds, 1.0)

    @property
    def speakers(self) -> Sequence[PlayerTrack]:
        """Return the recordings of one speaker each."""
        return [track for track in self.player if not track["mix"]]

    @property
    def is_mixed(self) -> bool:
        """Say whether all voices came in one stream, and nobody has audio alone."""
        return any(row.person.raw_id == MIXED for row in self.people)


def call_page(call: Call, *, is_whole: bool = False) -> CallPage:
    """Return what the page of `call` shows; with all of its timeline if `is_whole`."""
    rows = rows_of(call, limit=limit_of(is_whole=is_whole))
    verified = [one for one in rows.recordings if one.state == RecordingState.VERIFIED]
    origin_us = player_origin_us(call, verified)
    player = player_tracks(verified, origin_us)
    return CallPage(
        call=call,
        seconds=call.duration(timezone.now()).total_seconds(),
        overtalk=None if call.overtalk_ms is None else call.overtalk_ms / 1000,
        node=rows.sockets[-1].connection.node if rows.sockets else "",
        people=list(people_rows(rows.people, rows.tracks)),
        subscriptions=rows.subscriptions,
        sockets=rows.sockets,
        untold=UNTOLD if any(row.losses for row in rows.sockets) else "",
        troubles=trouble_words(rows.sockets),
        timeline=timeline_page_of(rows, is_whole=is_whole),
        failed_recordings=[
            one for one in rows.recordings if one.state == RecordingState.FAILED
        ],
        player=player,
        origin_ms=origin_us // 1000,
        zone=timezone.get_current_timezone_name(),
        has_holes=any(track["holes"] for track in player),
        archive_words=archive_words(call),
        wavesurfer=wavesurfer_url(),
    )


def people_rows(
    people: Sequence[Participant], tracks: Sequence[Track]
) -> Iterator[PersonRow]:
    """Yield who took part, in the order in which they were first heard."""
    heard = set()
    for track in tracks:
        heard.add(track.participant_id)
        yield PersonRow(track.participant, track)
    for person in people:
        if person.pk not in heard:
            yield PersonRow(person, None)


def player_origin_us(call: Call, recordings: Sequence[Recording]) -> int:
    """Return the zero of the call's clock: the capture time of its first packet."""
    starts = [one.origin_us for one in recordings]
    if call.origin_us is not None:
        starts.append(call.origin_us)
    return min(starts, default=0)


def player_tracks(recordings: Sequence[Recording], origin_us: int) -> list[PlayerTrack]:
    """Return the recordings as the player wants them, the mix first."""
    ordered = sorted(
        recordings, key=lambda one: (one.track_id is not None, one.origin_us)
    )
    mixes = sum(one.track_id is None for one in ordered)
    return [
        player_track(one, origin_us, max(place - mixes, 0))
        for place, one in enumerate(ordered, 1)
    ]


def player_track(recording: Recording, origin_us: int, number: int) -> PlayerTrack:
    """Return one recording as the player wants it."""
    track = recording.track
    who = track.participant if track else None
    is_ours = who is not None and who.raw_id == US
    return {
        "id": str(recording.pk),
        "label": formats.who(who.display_name, who.raw_id) if who else "Mix",
        "raw_id": who.raw_id if who else "",
        "mix": who is None,
        "number": number,
        "offset": (recording.origin_us - origin_us) / 1e6,
        "seconds": recording.seconds,
        "bytes": formats.size(recording.audio_bytes),
        "audio": reverse("audio", args=[recording.pk]),
        "peaks": reverse("peaks", args=[recording.pk]) if recording.peaks else "",
        "flac": reverse("download_flac", args=[recording.pk]),
        "wav": reverse("download_wav", args=[recording.pk]),
        # Where we said nothing, nothing was missing or paused.
        "holes": list(holes(track.ledger)) if track and not is_ours else [],
    }


def holes(ledger: Any) -> Iterator[Hole]:
    """Yield where a track has no audio, from its stored ledger."""
    if not ledger or not ledger.get("rate"):
        return
    rate, start = ledger["rate"], 0
    for kind, samples in ledger.get("runs", ()):
        if kind in ("g", "x"):
            yield {"kind": kind, "start": start / rate, "seconds": samples / rate}
        start += samples


def archive_words(call: Call) -> str:
    """Return in words why there is, or is not yet, something to play."""
    match call.archive_state:
        case ArchiveState.LIVE:
            return "Audio is being received. Recordings are made when the call ends."
        case ArchiveState.PENDING:
            return "The call is over; its recordings are being made."
        case ArchiveState.FAILED:
            return f"Recordings could not be made: {call.archive_error or 'unknown'}"
        case ArchiveState.FINISHED:
            return "There is nothing to play: no audio was received."
        case _:
            return "No audio was received." if not call.is_live else "No audio so far."


def wavesurfer_url() -> str:
    """Return where the waveform library is served, or nothing if it is not there."""
    if settings.DEBUG:
        return staticfiles_storage.url(WAVESURFER) if finders.find(WAVESURFER) else ""
    try:
        return staticfiles_storage.url(WAVESURFER)
    except ValueError:
        # The manifest of collected files has none: npm was not run before collecting.
        return ""
