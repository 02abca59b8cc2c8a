"""Whether the rows of one call agree with each other. Reads no bytes."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from typing import cast
from uuid import UUID

from django.db.models import QuerySet, Sum

from calls.audio.ledger import Ledger, LedgerJson, State, overtalk_us
from calls.figures import CallFigures
from calls.journals.losses import missing_after
from calls.models import (
    AudioChunk,
    Call,
    Connection,
    Loss,
    Recording,
    RecordingState,
    Track,
)
from calls.models.sockets import UNFINISHED_JOURNALS
from calls.models.states import ArchiveState
from calls.verification.findings import About, Finding
from streaming.protocol import US

JournalState = Connection.JournalState
# Shares are sums of floats; a sample in a day is 1e-9 of it.
TOLERANCE = 1e-9


@dataclass(frozen=True, slots=True)
class Indexed:
    """What the index has of a track or of a socket."""

    packets: int = 0
    samples: int = 0
    silent_packets: int = 0


@dataclass
class CallRows:
    """The rows of one call, as they were read."""

    call: Call
    tracks: Sequence[Track]
    connections: Sequence[Connection]
    recordings: Sequence[Recording]
    losses: Sequence[Loss]
    of_tracks: Mapping[UUID, Indexed]
    of_sockets: Mapping[UUID, Indexed]
    # Tracks whose ledger cannot be read have none.
    ledgers: Mapping[UUID, Ledger] = field(init=False)

    def __post_init__(self) -> None:
        self.ledgers = dict(_ledgers(self.tracks))

    @cached_property
    def unfinished(self) -> list[Connection]:
        """Return the sockets whose audio is not in a recording yet."""
        return [
            one for one in self.connections if one.journal_state in UNFINISHED_JOURNALS
        ]

    @property
    def is_settled(self) -> bool:
        """Say whether nothing of the call is on its way any more, so sums must fit."""
        return not self.unfinished and all(track.is_final for track in self.tracks)

    @property
    def kept(self) -> list[Connection]:
        """Return the sockets whose audio is in the recordings."""
        return [one for one in self.connections if one.journal_state == "kept"]

    @property
    def unplaced(self) -> int:
        """Return how many packets that were kept have no place on a timeline."""
        kept = sum(one.packets - one.unjournaled for one in self.kept)
        return kept - sum(of.packets for of in self.of_tracks.values())

    def leftovers(self) -> dict[str, int]:
        """Return the files of leftovers, and how many packets each must have."""
        # Over a transcription socket no packets come; what came with it may be here.
        files = {one.leftovers: 0 for one in self.kept if one.kind == "transcription"}
        files |= {
            one.leftovers: self.unplaced for one in self.kept if one.kind == "media"
        }
        files |= {one.leftovers: self.unplaced for one in self.recordings}
        files.pop("", None)
        return files

    def stamp(self) -> tuple[object, ...]:
        """Return what differs if somebody finished the call since it was read."""
        return (
            self.call.archive_state,
            self.call.state,
            [(one.pk, one.journal_state, one.closed_at) for one in self.connections],
            [(one.pk, one.audio, one.manifest) for one in self.recordings],
        )


def rows_read(call_id: UUID) -> CallRows | None:
    """Return the rows of a call; None if there is no such call."""
    call = Call.objects.filter(pk=call_id).defer("incoming_call_context").first()
    if call is None:
        return None
    chunks = AudioChunk.objects.filter(
        track__call_id=call_id, connection__journal_state=JournalState.KEPT
    )
    return CallRows(
        call,
        list(call.tracks.select_related("participant").order_by("pk")),
        list(call.connections.order_by("opened_at", "pk")),
        list(call.recordings.order_by("pk")),
        list(Loss.objects.filter(connection__call_id=call_id).order_by("pk")),
        _indexed(chunks, "track_id"),
        # What we said came over no socket.
        _indexed(chunks.exclude(track__participant__raw_id=US), "connection_id"),
    )


def _indexed(chunks: QuerySet[AudioChunk], by: str) -> dict[UUID, Indexed]:
    sums = chunks.order_by().values_list(by)
    return {
        key: Indexed(packets, samples, silent)
        for key, packets, samples, silent in sums.annotate(
            Sum("packets"), Sum("samples"), Sum("silent_packets")
        )
    }


def _ledgers(tracks: Iterable[Track]) -> Iterator[tuple[UUID, Ledger]]:
    for track in tracks:
        with suppress(KeyError, ValueError, TypeError):
            yield track.pk, Ledger.from_json(cast(LedgerJson, track.ledger))


def rows_verify(rows: CallRows) -> Iterator[Finding]:
    """Yield where the rows of a call disagree with each other."""
    for track in rows.tracks:
        yield from _track(track, rows.ledgers.get(track.pk))
    for recording in rows.recordings:
        yield from _recording(recording, rows)
    if not rows.is_settled:
        return
    for track in rows.tracks:
        yield from _index(track, rows)
    for loss in rows.losses:
        yield from _loss(loss, rows)
    yield from _sockets(rows)
    yield from _figures(rows)
    yield from _recordings(rows)


def _track(track: Track, ledger: Ledger | None) -> Iterator[Finding]:
    about = About(track.call_id, "track", str(track.pk))
    if ledger is None:
        yield about.error("ledger-unreadable", "its ledger cannot be read")
        return
    told = {
        "rate": (track.sample_rate, ledger.rate),
        "length": (track.samples, ledger.samples),
        "talk": (track.talk_samples, ledger.total(State.RECEIVED)),
        "gaps": (track.gap_count, ledger.gap_count),
        "gap length": (track.gap_samples, ledger.total(State.GAP)),
        "stopped length": (track.stopped_samples, ledger.total(State.STOPPED)),
        "late packets": (track.late, ledger.late),
        "duplicates": (track.duplicates, ledger.duplicates),
        "discarded packets": (track.discarded, ledger.discarded),
    }
    for what, (row, sums) in told.items():
        if row != sums:
            words = f"its row says {row} for {what}, its ledger sums up to {sums}"
            yield about.error("ledger-sum", words)
    if not _is_same(track.completeness, ledger.completeness):
        words = (
            f"its row says {track.completeness} for completeness, its ledger"
            f" {ledger.completeness}"
        )
        yield about.error("ledger-sum", words)


def _is_same(one: float | None, other: float | None) -> bool:
    if one is None or other is None:
        return one is other
    return abs(one - other) <= TOLERANCE


def _recording(recording: Recording, rows: CallRows) -> Iterator[Finding]:
    about = About(recording.call_id, "recording", str(recording.pk))
    if recording.state != RecordingState.VERIFIED or not recording.verified_at:
        why = recording.error or "no reason stored"
        yield about.error("recording-unverified", f"it was never verified: {why}")
    track = next((one for one in rows.tracks if one.pk == recording.track_id), None)
    if track is None or not track.is_final:
        # Of a track that goes on live the row is newer than the recording.
        return
    for what, row, of_track in (
        ("samples", recording.samples, track.samples),
        ("sample rate", recording.sample_rate, track.sample_rate),
        ("origin", recording.origin_us, track.origin_us),
    ):
        if row != of_track:
            words = f"its {what} is {row}, and {of_track} by its track {track.pk}"
            yield about.error("recording-track", words)


def _index(track: Track, rows: CallRows) -> Iterator[Finding]:
    """Compare a track with its chunks: what was placed is what was not kept aside."""
    about = About(track.call_id, "track", str(track.pk))
    index, ledger = rows.of_tracks.get(track.pk, Indexed()), rows.ledgers.get(track.pk)
    placed = track.packets - track.duplicates - track.discarded
    if index.packets != placed:
        words = f"its chunks have {index.packets} packets, its row places {placed}"
        yield about.error("index-packets", words)
    if not placed - track.packets <= index.silent_packets - track.silent_packets <= 0:
        words = (
            f"its chunks have {index.silent_packets} silent packets,"
            f" its row {track.silent_packets}"
        )
        yield about.error("index-packets", words)
    if ledger is None:
        return
    came = ledger.total(State.RECEIVED) + ledger.total(State.SILENT)
    if index.samples != came:
        words = f"its chunks have {index.samples} samples, its ledger received {came}"
        yield about.error("index-samples", words)


def _loss(loss: Loss, rows: CallRows) -> Iterator[Finding]:
    ledger = rows.ledgers.get(loss.track_id)
    if ledger and missing_after(ledger, loss.start_sample) != loss.samples:
        about = About(rows.call.pk, "socket", str(loss.connection_id))
        words = (
            f"its loss is told as {loss.samples} samples, which is not the gap that"
            f" track {loss.track_id} has at sample {loss.start_sample}"
        )
        yield about.error("loss-differs", words)


def _sockets(rows: CallRows) -> Iterator[Finding]:
    """Compare what came over the sockets with what is on the tracks."""
    for socket in rows.kept:
        index = rows.of_sockets.get(socket.pk, Indexed())
        if index.packets > socket.packets - socket.unjournaled:
            about = About(rows.call.pk, "socket", str(socket.pk))
            words = (
                f"{index.packets} of its packets are indexed,"
                f" and {socket.packets - socket.unjournaled} were kept"
            )
            yield about.error("socket-packets", words)
    about = About(rows.call.pk, "", "")
    kept = sum(one.packets - one.unjournaled for one in rows.kept)
    # What we said came over no socket.
    on_tracks = sum(
        track.packets for track in rows.tracks if track.participant.raw_id != US
    )
    # Packets whose rate damage took are on no track; they are among the leftovers.
    may_be_fewer = any(one.leftovers for one in rows.recordings)
    if on_tracks > kept or (on_tracks < kept and not may_be_fewer):
        words = f"its sockets kept {kept} packets, its tracks have {on_tracks}"
        yield about.error("call-packets", words)


def _figures(rows: CallRows) -> Iterator[Finding]:
    call, figures = rows.call, CallFigures()
    for track in rows.tracks:
        figures.add(track)
    about = About(call.pk, "", "")
    if not _is_same(call.completeness, figures.completeness):
        words = (
            f"its completeness is {call.completeness},"
            f" and {figures.completeness} by its tracks"
        )
        yield about.error("call-figures", words)
    if call.origin_us != figures.origin_us:
        words = f"it begins at {call.origin_us}, its tracks at {figures.origin_us}"
        yield about.error("call-figures", words)
    if call.archive_state == ArchiveState.FINISHED and len(rows.ledgers) == len(
        rows.tracks
    ):
        starts = [
            (one.origin_us, rows.ledgers[one.pk])
            for one in rows.tracks
            if one.participant.raw_id != US
        ]
        overtalk = overtalk_us(starts) // 1000
        if call.overtalk_ms != overtalk:
            words = f"its overtalk is {call.overtalk_ms} ms, and {overtalk} by ledgers"
            yield about.error("call-figures", words)


def _recordings(rows: CallRows) -> Iterator[Finding]:
    """Say which recordings there should be and are not."""
    of_tracks = {one.track_id for one in rows.recordings}
    for track in rows.tracks:
        if track.pk not in of_tracks:
            about = About(rows.call.pk, "track", str(track.pk))
            yield about.error("recording-absent", "it has no recording")
    about = About(rows.call.pk, "", "")
    if len(rows.tracks) > 1 and None not in of_tracks:
        yield about.error("recording-absent", "there is no mix of its tracks")
    state = rows.call.archive_state
    is_finished = state == ArchiveState.FINISHED
    if is_finished != bool(rows.recordings) and state != ArchiveState.FAILED:
        words = f"its archive is called {state}, with {len(rows.recordings)} recordings"
        yield about.error("archive-state", words)
