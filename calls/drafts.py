"""Facts on their way into the database, as plain values.

Ingest, recovery and finishing make drafts; `calls.services` writes them. Keys are
computed from what is in them (`calls.identity`), so writing a draft twice writes one
row, and a later draft of the same thing carries newer figures. No Django here.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from calls import identity


@dataclass(frozen=True, slots=True)
class ConnectionDraft:
    """One socket: who opened it, what came over it so far, how it ended."""

    id: UUID
    call_id: UUID
    call_connection_id: str
    correlation_id: str
    process_id: UUID | None
    node: str
    remote_address: str
    opened_at: datetime
    subscription_id: str | None = None
    messages: int = 0
    packets: int = 0
    bytes: int = 0
    malformed: int = 0
    unknown: int = 0
    unjournaled: int = 0
    # When its last audio arrived, by our clock. Evidence, not a column.
    last_packet_at: datetime | None = None
    last_fault: str = ""
    closed_at: datetime | None = None
    close_code: int | None = None
    close_reason: str = ""
    # As `Connection.Kind`: a transcription socket says nothing of streaming.
    kind: str = "media"
    is_torn: bool = False


@dataclass(frozen=True, slots=True)
class SubscriptionDraft:
    """What an AudioMetadata announced."""

    call_id: UUID
    subscription_id: str
    encoding: str
    sample_rate: int
    channels: int
    frame_bytes: int | None
    started_at: datetime
    is_mixed: bool | None = None
    ended_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class TrackDraft:
    """A track's figures so far. Lengths in samples, levels in dBFS."""

    call_id: UUID
    raw_id: str
    sample_rate: int
    origin_us: int
    samples: int
    packets: int
    bytes: int
    silent_packets: int
    talk_samples: int
    gap_count: int
    gap_samples: int
    stopped_samples: int
    late: int
    duplicates: int
    discarded: int
    bad_timestamps: int
    first_packet_at: datetime
    last_packet_at: datetime
    jitter_us: int
    rms_dbfs: float | None
    peak_dbfs: float | None
    clipped_samples: int
    completeness: float | None
    ledger: dict[str, Any]

    @property
    def id(self) -> UUID:
        """Return the track's key."""
        return identity.track_id(self.call_id, self.raw_id, self.sample_rate)


@dataclass(frozen=True, slots=True)
class ChunkDraft:
    """Up to 5 s of one track as they came over one socket."""

    track_id: UUID
    connection_id: UUID
    number: int
    start_sample: int
    samples: int
    packets: int
    silent_packets: int


@dataclass(frozen=True, slots=True)
class ToneDraft:
    """One DTMF tone. Its digit may be of a card: it is in no `repr`, so in no log."""

    id: UUID
    call_id: UUID
    # Empty: the frame named nobody.
    raw_id: str
    tone: str = field(repr=False)
    # Capture time, µs since 1970; the arrival where the peer stated none.
    at_us: int
    is_stamped: bool
    source: str = "media"
    is_masked: bool = False


@dataclass(frozen=True, slots=True)
class UtteranceDraft:
    """One thing we said into a call, as far as it is. States: `Utterance.State`."""

    id: UUID
    call_id: UUID
    kind: str
    state: str
    name: str
    queued_at: datetime
    prompt_id: UUID | None = None
    command_id: UUID | None = None
    # Capture time of its first sample, µs since 1970.
    start_us: int | None = None
    sent_ms: int = 0
    played_ms: int = 0
    underruns: int = 0
    reason: str = ""
    # It ended here for want of a socket: a process that has the call's may say it on.
    may_go_on: bool = False


@dataclass(frozen=True, slots=True)
class OutcomeDraft:
    """What became of an order that ingest carries out: a prompt, a stop."""

    command_id: UUID
    call_id: UUID
    is_done: bool
    words: str


@dataclass(frozen=True, slots=True)
class SegmentDraft:
    """A piece of what was said, in words: in no `repr`, so in no log."""

    id: UUID
    call_id: UUID
    raw_id: str
    source: str
    # Capture time of the first word, µs since 1970.
    start_us: int
    duration_us: int
    text: str = field(repr=False)
    # Text, start in µs after `start_us`, duration in µs.
    words: Sequence[tuple[str, int, int]] = field(default=(), repr=False)
    confidence: float | None = None
    sentiment: str = ""
    language: str = ""
    is_cut: bool = False
    raw: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class AlarmDraft:
    """An alarm as it is now. `key` names its condition, see `calls.alarms.kinds`.

    `raised_at` is when it was first raised, `since` when last: they differ if the
    condition came back soon. Of a node's alarm `call_id` is None.
    """

    key: str
    kind: str
    severity: int
    call_id: UUID | None
    words: str
    raised_at: datetime
    since: datetime
    seen_at: datetime
    raw_id: str = ""
    node: str = ""
    value: float | None = None
    threshold: float | None = None
    # Capture time at which the condition began, µs since 1970.
    at_us: int | None = None
    occurrences: int = 1
    cleared_at: datetime | None = None

    @property
    def id(self) -> UUID:
        """Return the alarm's key."""
        return identity.alarm_id(self.key, self.raised_at)


@dataclass(frozen=True, slots=True)
class ArchiveBatch:
    """Drafts that are written in one transaction."""

    connections: Sequence[ConnectionDraft] = field(default=())
    subscriptions: Sequence[SubscriptionDraft] = field(default=())
    tracks: Sequence[TrackDraft] = field(default=())
    chunks: Sequence[ChunkDraft] = field(default=())
    tones: Sequence[ToneDraft] = field(default=())
    alarms: Sequence[AlarmDraft] = field(default=())
    utterances: Sequence[UtteranceDraft] = field(default=())
    segments: Sequence[SegmentDraft] = field(default=())
    outcomes: Sequence[OutcomeDraft] = field(default=())

    def __len__(self) -> int:
        tables = (self.connections, self.subscriptions, self.tracks, self.chunks)
        rest = (self.tones, self.alarms, self.utterances, self.segments, self.outcomes)
        return sum(map(len, (*tables, *rest)))

    @property
    def calls(self) -> set[UUID]:
        """Return the calls they tell of, as far as they name them."""
        owners = {draft.call_id for draft in self.connections}
        owners |= {draft.call_id for draft in self.subscriptions}
        owners |= {draft.call_id for draft in self.tracks}
        for drafts in (self.tones, self.utterances, self.segments, self.outcomes):
            owners |= {draft.call_id for draft in drafts}
        return owners | {draft.call_id for draft in self.alarms if draft.call_id}

    def by_call(self) -> "Iterator[tuple[UUID | None, ArchiveBatch]]":
        """Yield each call's part; None: of nodes, or of sockets not in here."""
        call_of = {draft.id: draft.call_id for draft in self.connections}
        for owner in [*self.calls, None]:
            part = ArchiveBatch(
                [draft for draft in self.connections if draft.call_id == owner],
                [draft for draft in self.subscriptions if draft.call_id == owner],
                [draft for draft in self.tracks if draft.call_id == owner],
                [
                    draft
                    for draft in self.chunks
                    if call_of.get(draft.connection_id) == owner
                ],
                [draft for draft in self.tones if draft.call_id == owner],
                [draft for draft in self.alarms if draft.call_id == owner],
                [draft for draft in self.utterances if draft.call_id == owner],
                [draft for draft in self.segments if draft.call_id == owner],
                [draft for draft in self.outcomes if draft.call_id == owner],
            )
            if part:
                yield owner, part


@dataclass(frozen=True, slots=True)
class StopWindow:
    """A time in which nobody wanted streaming, by the commands' own times."""

    start: datetime
    end: datetime | None


@dataclass(frozen=True, slots=True)
class CallFacts:
    """What ingest wants to know of a call before its first packet."""

    is_known: bool
    connection_id: str | None = None
    correlation_id: str = ""
    # The call is over for so long that its secret opens nothing any more.
    is_secret_dead: bool = False
    tracks: Sequence[TrackDraft] = ()
    stops: Sequence[StopWindow] = ()
    # Alarms that last or ceased just now, and the profile's own thresholds.
    alarms: Sequence[AlarmDraft] = ()
    thresholds: Mapping[str, Any] = field(default_factory=dict)
    # By the profile: what hears and answers, whether we may speak, what is masked.
    handler: str = ""
    handler_options: Mapping[str, Any] = field(default_factory=dict)
    is_bidirectional: bool = False
    masks_tones: bool = False
