"""A call's audio as one ingest process hears it. No Django.

Its tracks outlive its sockets, so a redial goes on where the last socket ended.
"""

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeAlias
from uuid import UUID

from calls.audio.ledger import Overtalk
from calls.audio.levels import Level
from calls.audio.pcm import samples_to_us
from calls.audio.track import TrackAudio, Window
from calls.audio.wave import Wave
from calls.drafts import TrackDraft
from calls.instants import instant, microseconds
from calls.journals.replay import track_draft
from calls.transcripts.hearing import CallTranscript
from streaming.alarms import CallWatch
from streaming.capture_clock import CaptureClock
from streaming.handlers.pressed import PressedKeys
from streaming.outbound import Speaker
from streaming.outbound.voice import SpeechNews, Voice
from streaming.protocol import US, mask_keys, mentions_keys

if TYPE_CHECKING:
    from streaming.handlers.running import Running
    from streaming.ingest import MediaSession
    from streaming.listen.tap import Tap
    from streaming.transcription.session import TranscriptionSession

# ACS sends the four most dominant speakers; they rotate, but a call has not this many.
MAX_TRACKS = 250
# Of each track's ledger, how many runs are written per second at most, on average.
RUNS_PER_SECOND = 500
# Without a socket, so many remarks wait for the next; of more, the oldest go.
MAX_UNWRITTEN = 1_000
# A second louder than this counts as talking now, for the eye only.
TALK_DBFS = -60.0

TrackKey: TypeAlias = tuple[str, int]


@dataclass(slots=True)
class HeardTrack:
    """A track, and what its last second was like."""

    audio: "TrackAudio[MediaSession]"
    level: Level | None = None
    is_talking: bool = False
    packets_reported: int = 0
    # When its figures are to be written next, by a monotonic clock.
    due: float = 0.0
    wave: Wave = field(init=False)

    def __post_init__(self) -> None:
        """Begin the waveform where this process began to hear the track."""
        self.wave = Wave(self.audio.rate, known_from=self.audio.timeline.end)


def _nobody_cares() -> None:
    """Take news of a call that belongs to no recorder."""


class CallAudio:
    """A call's audio as this process receives it."""

    def __init__(self, call_id: UUID) -> None:
        self.call_id = call_id
        self.watch = CallWatch(call_id)
        self.tracks: dict[TrackKey, HeardTrack] = {}
        self.sessions: list[MediaSession] = []
        # Its transcription: what was said, its sockets, how often text has come.
        self.transcript = CallTranscript(call_id)
        self.transcription_sessions: list[TranscriptionSession] = []
        self.texts_heard = 0
        self.stops: Sequence[Window] = ()
        self.overtalk_ms = 0
        self._overtalk = Overtalk()
        self.idle_since: float | None = None
        # When its last media socket closed here, whatever else is open: until it is
        # long ago, ACS may dial another at any moment.
        self.left_at: float | None = None
        self.clock = CaptureClock()
        # Whether ACS plays what we send: its streaming is bidirectional.
        self.may_speak = False
        # Made with the first metadata, if we may speak at all.
        self.voice: Voice | None = None
        # What was asked for while it had no socket: done, in order, once it has one.
        self.held: list[Callable[[CallAudio], None]] = []
        # Remarks of a time without a socket, for the journal of the next one.
        self.unwritten: deque[Mapping[str, Any]] = deque(maxlen=MAX_UNWRITTEN)
        # What goes on with the call in place of this, once rows knew more of it.
        self.successor: CallAudio | None = None
        # Called when something of what we said is to be written soon.
        self.has_news: Callable[[], None] = _nobody_cares
        # Until the database has said that keys may be kept, they are not.
        self.masks_tones = True
        self.is_masking_known = False
        # While somebody listens; asked once per packet.
        self.tap: Tap | None = None
        # What hears the call and speaks into it, if its profile names anything.
        self.handler: Running | None = None
        self.keys = PressedKeys()
        # When its first socket opened here: by the wall, and by a monotonic clock.
        self._anchor: tuple[datetime, float] | None = None
        # By how much the first is ahead of the second; asked for with every frame.
        self._ahead_us: int | None = None

    def remark(self, note: Mapping[str, Any]) -> None:
        """Write something about this call into its journal, now or with the next.

        What ends late here, once another goes on with the call, is for its journal.
        """
        if self.sessions:
            self.sessions[-1].remark(note)
        elif self.successor is not None:
            self.successor.remark(note)
        else:
            self.unwritten.append(note)

    def mask(self, *, masks_tones: bool) -> None:
        """Learn whether the keys that are pressed in the call are masked."""
        self.masks_tones, self.is_masking_known = masks_tones, True

    def kept(self, frame: str | bytes) -> str | bytes:
        """Return a frame that nobody can read as it may be kept: it may hold a key."""
        if self.masks_tones and mentions_keys(frame):
            return mask_keys(frame)
        return frame

    def now(self, wall: datetime, monotonic: float) -> datetime:
        """Return the time as this call counts it: by the wall at its first socket.

        Journals tell the order of sockets, and the length of pauses, by when they were
        opened. A wall clock that is set in mid-call must turn neither upside down; nor
        one that is behind that of the process which had the call before.
        """
        if self._anchor is None:
            arrivals = [track.audio.last_arrival_us for track in self.tracks.values()]
            heard = instant(max(arrivals, default=0) + 1)
            self._anchor = max(wall, heard), monotonic
        began, then = self._anchor
        return began + timedelta(seconds=monotonic - then)

    @property
    def callers(self) -> dict[TrackKey, HeardTrack]:
        """Return the tracks but for what we said ourselves."""
        return {
            key: track for key, track in self.tracks.items() if not track.audio.is_ours
        }

    @property
    def is_speaking(self) -> bool:
        """Say whether something of ours was heard in the last second, and not silence.

        An open microphone into which nobody speaks is silence.
        """
        return any(
            track.is_talking for track in self.tracks.values() if track.audio.is_ours
        )

    def at_us(self, monotonic_us: int) -> int:
        """Return the call's own time, µs since 1970, of a monotonic moment."""
        if self._ahead_us is None:
            if self._anchor is None:
                raise AssertionError("a call has a time once it has a socket")
            began, then = self._anchor
            self._ahead_us = microseconds(began) - round(then * 1_000_000)
        return self._ahead_us + monotonic_us

    @property
    def speaker(self) -> Speaker | None:
        """Return what speaks into this call; None if nothing can."""
        return self.voice.speaker if self.voice else None

    def give_voice(self, rate: int, news: SpeechNews) -> Voice | None:
        """Return the call's voice at a rate, made on first use; None if it has none."""
        if not self.may_speak:
            return None
        self.end_voice(unless=rate)
        if self.voice is None:
            self.voice = Voice(self, rate, news)
        return self.voice

    def end_voice(self, *, unless: int) -> None:
        """Let the call's voice fall silent, unless it has this rate."""
        if self.voice is not None and self.voice.speaker.rate != unless:
            self.voice.speaker.end("the call's sample rate changed")
            self.voice = None

    def lag_us(self) -> int | None:
        """Return by how much audio arrives later than it was captured; None: unknown.

        Of the network, of ACS, and of two clocks that differ: all of it also lies
        between what transcription says and when it says it.
        """
        lags = [
            track.audio.last_arrival_us - origin - samples_to_us(timeline.end, rate)
            for (_, rate), track in self.tracks.items()
            if (origin := (timeline := track.audio.timeline).origin) is not None
        ]
        return min(lags, default=None) if self.sessions else None

    def take_over(self, other: "CallAudio") -> None:
        """Go on with a call that rows know more of by now: with all they do not know.

        That is its transcription, and what waits for its next socket.
        """
        self.transcript = other.transcript
        self.transcription_sessions = other.transcription_sessions
        self.texts_heard = other.texts_heard
        self.held, self.unwritten = other.held, other.unwritten
        self.left_at = other.left_at
        # What ends late over there has remarks, too.
        other.successor = self
        for session in self.transcription_sessions:
            session.call = self

    def track(self, raw_id: str, rate: int) -> HeardTrack | None:
        """Return the track of a participant, made on first use; None if too many."""
        key = (raw_id, rate)
        track = self.tracks.get(key)
        if track is None:
            is_ours = raw_id == US
            if len(self.tracks) >= MAX_TRACKS and not is_ours:
                return None
            audio: TrackAudio[MediaSession] = TrackAudio(rate, is_ours=is_ours)
            track = self.tracks[key] = HeardTrack(audio)
        return track

    def measure(self) -> None:
        """Close the last second: levels, who talks, clocks. Called once a second."""
        self.clock.turn()
        if self.voice is not None:
            self.voice.measure()
        for track in self.tracks.values():
            audio = track.audio
            track.level = audio.meter.take()
            track.is_talking = track.level.rms_dbfs > TALK_DBFS
            track.wave.settle(audio.timeline.end)

    def hush(self) -> None:
        """Forget the last second: nobody is heard now, its level says nothing more."""
        for track in self.tracks.values():
            track.level, track.is_talking = None, False

    def explain(self) -> None:
        """Let pauses that were ordered count as stopped, not as loss."""
        for track in self.tracks.values():
            track.audio.mark_stopped(self.stops)

    def settle(self) -> None:
        """Bring figures that need the whole ledger up to date: stops and overtalk.

        Overtalk is of callers: that they talk while we do is no trouble of theirs.
        """
        self.explain()
        tracks = [track.audio for track in self.callers.values()]
        if len(tracks) > 1:
            starts = [(audio.timeline.origin or 0, audio.ledger) for audio in tracks]
            self.overtalk_ms = self._overtalk.update(starts) // 1000

    def drafts(self, now: float) -> Iterator[TrackDraft]:
        """Return the figures of tracks that received something since the last call.

        A ledger with thousands of runs is written less often while sockets are open,
        or an hour-long call would cost more each minute. `now` is a monotonic time.
        """
        for (raw_id, _), track in self.tracks.items():
            audio = track.audio
            if audio.packets == track.packets_reported or audio.timeline.origin is None:
                continue
            if self.sessions and now < track.due:
                continue
            track.packets_reported = audio.packets
            track.due = now + audio.ledger.run_count / RUNS_PER_SECOND
            yield track_draft(self.call_id, raw_id, audio)
