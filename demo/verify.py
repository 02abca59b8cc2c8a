"""Is what was kept what was sent? Compared per participant, from the bytes up.

The emulator says how many packets it sent and what PCM it put on the call's timeline.
Against that stand the rows of the database and the audio that the finished recording
decodes to, read from storage here and now: stored hashes prove nothing about bytes.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import soundfile
from django.db.models import Sum

from calls.models import AudioChunk, Call, Recording, Track
from calls.models.states import ArchiveState
from calls.storage import recording_open
from demo.conversation import (
    Conversation,
    EchoRoundTrip,
    Findings,
    conversation_check,
)
from streaming.protocol import US

BLOCK = 1 << 16
PACKET_MS = 20
NO_CONVERSATION = Conversation()


@dataclass(frozen=True, slots=True, kw_only=True)
class ParticipantCheck:
    """What was sent and what is stored of one participant.

    Hashes are SHA-256 of the 16-bit PCM on the timeline, from the first packet to the
    last; silence where a packet was flagged silent or none was sent. `unsent_packets`
    are slots in between of which nothing was sent: streaming was stopped, or there was
    no socket. `completeness` is the ledger's: 1 if nothing was missing that was wanted.
    """

    raw_id: str
    sent_packets: int
    stored_packets: int
    sent_silent_packets: int
    silent_packets: int
    unsent_packets: int
    gap_ms: int
    stopped_ms: int
    completeness: float | None
    sent_sha256: str
    stored_sha256: str

    @property
    def lost_packets(self) -> int:
        """Return how many packets were sent and are not stored."""
        return self.sent_packets - self.stored_packets

    @property
    def is_equal(self) -> bool:
        """Say whether the recording is, sample for sample, what was sent."""
        return bool(self.stored_sha256) and self.stored_sha256 == self.sent_sha256

    def _difference(self) -> str:
        if self.lost_packets < 0:
            return f"{-self.lost_packets} packets are stored that were not sent"
        return (
            f"{self.lost_packets} of {self.sent_packets} packets that were sent are not"
            f" stored: {self.lost_packets * PACKET_MS} ms are lost"
        )

    @property
    def problems(self) -> list[str]:
        """Return in words what is not as it should be, and not what follows from it."""
        if not self.sent_packets:
            return ["nothing was sent"]
        if not self.stored_sha256:
            return ["there is no recording that can be read"]
        if self.lost_packets:
            return [self._difference()]
        found = []
        if self.silent_packets != self.sent_silent_packets:
            found.append(
                f"{self.sent_silent_packets} packets were sent as silent,"
                f" {self.silent_packets} are stored as silent"
            )
        if not self.is_equal:
            found.append("the recording is not the audio that was sent")
        missing = self.gap_ms + self.stopped_ms
        if missing != self.unsent_packets * PACKET_MS:
            found.append(
                f"{self.unsent_packets} packets were not sent, and the ledger says so"
                f" of {missing / PACKET_MS:g}"
            )
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class CallCheck:
    """The verdict on one call. `problems` are those of the call as a whole."""

    call_connection_id: str
    kind: str
    participants: Sequence[ParticipantCheck]
    problems: Sequence[str] = ()
    sockets: int = 0
    # What is so of both sides of the conversation, in words.
    said: Sequence[str] = ()
    # As the emulator measured it; None where there is no echo.
    echo: EchoRoundTrip | None = None

    @property
    def is_ok(self) -> bool:
        """Say whether every packet is stored and every hash equal."""
        faulty = any(each.problems for each in self.participants)
        return not (self.problems or faulty or not self.participants)


def call_check(
    *,
    kind: str,
    report: Mapping[str, Any],
    problems: Sequence[str] = (),
    expected: Conversation = NO_CONVERSATION,
) -> CallCheck:
    """Compare the emulator's report of a call with what we have of that call."""
    connection_id = report.get("call_connection_id") or ""
    call = Call.objects.filter(connection_id=connection_id).first()
    found, said = [*problems], Findings()
    tracks: dict[str, Track] = {}
    if call is None:
        found.append("the call is not in the database")
    else:
        tracks, twice = _stored_tracks(call)
        found += twice
        if call.archive_state != ArchiveState.FINISHED:
            state = call.get_archive_state_display()
            found.append(f"its archive: {state} {call.archive_error}".rstrip())
        said = conversation_check(expected, call, report)
        found += said.problems
    sent = {each["raw_id"]: each for each in report.get("participants", ())}
    if not sent:
        found.append(f"no audio was sent; the call was {report.get('state')}")
    found += [
        f"{raw_id} was stored but never sent" for raw_id in tracks.keys() - sent - {US}
    ]
    return CallCheck(
        call_connection_id=connection_id,
        kind=kind,
        participants=[
            participant_check(each, tracks.get(raw_id)) for raw_id, each in sent.items()
        ],
        problems=found,
        sockets=len(report.get("sockets", ())),
        said=said.notes,
        echo=EchoRoundTrip.of(report),
    )


def _stored_tracks(call: Call) -> tuple[dict[str, Track], list[str]]:
    """Return the tracks of a call by raw id, and in words who has more than one."""
    tracks: dict[str, Track] = {}
    twice = []
    for track in Track.objects.filter(call=call).select_related("participant"):
        if track.participant.raw_id in tracks:
            twice.append("a participant has two tracks")
        tracks[track.participant.raw_id] = track
    return tracks, twice


def participant_check(sent: Mapping[str, Any], track: Track | None) -> ParticipantCheck:
    """Compare what the emulator sent of one participant with that one's track."""
    recording = None
    stored = {"packets": 0, "silent": 0}
    if track is not None:
        recording = Recording.objects.filter(track=track).first()
        # The chunks, not the track's own figure: they index what can be found again.
        stored = AudioChunk.objects.filter(track=track).aggregate(
            packets=Sum("packets", default=0), silent=Sum("silent_packets", default=0)
        )
    return ParticipantCheck(
        raw_id=sent["raw_id"],
        sent_packets=sent["sent_packets"],
        stored_packets=stored["packets"],
        sent_silent_packets=sent["silent_packets"],
        silent_packets=stored["silent"],
        unsent_packets=sent["timeline_packets"] - sent["sent_packets"],
        gap_ms=_ms(track.gap_samples, track) if track else 0,
        stopped_ms=_ms(track.stopped_samples, track) if track else 0,
        completeness=track.completeness if track else None,
        sent_sha256=sent["sent_sha256"],
        stored_sha256=decoded_sha256(recording.audio) if recording else "",
    )


def decoded_sha256(name: str) -> str:
    """Return the SHA-256 of the PCM a recording decodes to; "" if it does not."""
    digest = hashlib.sha256()
    try:
        with recording_open(name) as stored, soundfile.SoundFile(stored) as sound:
            for block in sound.blocks(BLOCK, dtype="int16"):
                digest.update(block.astype("<i2", copy=False).tobytes())
    except (OSError, soundfile.LibsndfileError):
        return ""
    return digest.hexdigest()


def _ms(samples: int, track: Track) -> int:
    return round(samples * 1000 / track.sample_rate)
