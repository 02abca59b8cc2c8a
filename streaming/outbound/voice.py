"""A call's voice: its speaker, and what becomes of what it says.

What was heard goes the way of all audio of the call, as the participant `us`: journal,
track, listeners. What is news goes to `SpeechNews`, which the recorder empties into
rows.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final
from uuid import UUID

from calls.audio.pcm import samples_to_us
from calls.drafts import ArchiveBatch, OutcomeDraft, UtteranceDraft
from calls.journals.said import remark_of
from streaming.outbound.items import Frame, Item, ItemState
from streaming.outbound.passage import ThroughCall
from streaming.outbound.speaker import Send, Speaker

if TYPE_CHECKING:
    from streaming.call_audio import CallAudio
    from streaming.ingest import MediaSession

_MS: Final = 1000
# So long a pause is as long by both clocks. Behind a longer one it is asked anew how
# far they are apart: what is said in one go is not moved by what is learnt meanwhile.
# By ACS's frames, where those are known, it is moved by whole frames or not at all.
SHORT_US: Final = 1_000_000
# The round trip is measured so often at once, one after the other, then every second.
AT_FIRST: Final = 10


@dataclass(slots=True)
class SpeechNews:
    """What is to be written of all calls of a process: of each thing the last news."""

    utterances: dict[UUID, UtteranceDraft] = field(default_factory=dict)
    outcomes: dict[UUID, OutcomeDraft] = field(default_factory=dict)

    def outcome(
        self, command: UUID | None, call: UUID, *, is_done: bool, words: str
    ) -> None:
        """Say what became of an order. The first word on it stands."""
        if command is not None:
            draft = OutcomeDraft(command, call, is_done, words)
            self.outcomes.setdefault(command, draft)

    def batch(self) -> ArchiveBatch:
        """Return what is to be written, and forget it."""
        batch = ArchiveBatch(
            utterances=list(self.utterances.values()),
            outcomes=list(self.outcomes.values()),
        )
        self.utterances, self.outcomes = {}, {}
        return batch


class Voice:
    """What speaks in one call, and in whose journal what it said is kept."""

    def __init__(self, call: "CallAudio", rate: int, news: SpeechNews) -> None:
        self.speaker = Speaker(
            rate, heard=self._heard, news=self._news, passage=ThroughCall(call)
        )
        self._call = call
        self._speech_news = news
        self._session: MediaSession | None = None
        self._queued: dict[UUID, datetime] = {}
        self._start_us: dict[UUID, int] = {}
        # Where the frame that was heard last ended: by our clock, and by ACS's.
        self._end_us = self._stamp_us = 0

    def attach(self, session: "MediaSession", send: Send) -> None:
        """Speak over a socket from now on."""
        # Before the session changes: what was heard up to now is the old one's.
        self.speaker.attach(send)
        self._session = session
        self.measure(AT_FIRST)

    def measure(self, times: int = 1) -> None:
        """Measure the round trip `times` times, one after the other."""
        ask = self._session.ping if self._session is not None else None
        if ask is None:
            return

        def take(trip_us: int) -> None:
            self._call.clock.note_round_trip(trip_us)
            if times > 1:
                self.measure(times - 1)

        ask(take)

    def detach(self, session: "MediaSession", send: Send) -> None:
        """Speak over it no more; its journal is still open."""
        self.speaker.detach(send)
        if self._session is session:
            self._session = None

    def _heard(self, frame: Frame) -> None:
        """Keep what was heard, at the time at which it was, by ACS's clock."""
        session, rate = self._session, self.speaker.rate
        pause = frame.start_us - self._end_us
        stamp = self._stamp_us + max(pause, 0)
        clock = self._call.clock
        if frame.sent_us is not None and (pause > SHORT_US or clock.has_frames):
            begun = clock.played_at(self._call.at_us(frame.sent_us))
            stamp = max(self._stamp_us, begun)
        lasts = samples_to_us(frame.samples, rate)
        self._end_us = frame.start_us + lasts
        self._stamp_us = stamp + lasts
        self._start_us.setdefault(frame.item.id, stamp)
        if session is not None:
            pcm = frame.pcm[: frame.samples * 2]
            session.spoke(rate, pcm, stamp)

    def _news(self, item: Item) -> None:
        state = item.state
        rate = self.speaker.rate
        if state is ItemState.QUEUED:
            self._queued[item.id] = datetime.now(UTC)
        draft = self._speech_news.utterances[item.id] = UtteranceDraft(
            id=item.id,
            call_id=self._call.call_id,
            kind=item.kind.value,
            state=state.value,
            name=item.name,
            queued_at=self._queued.get(item.id) or datetime.now(UTC),
            prompt_id=item.prompt,
            command_id=item.command,
            start_us=self._start_of(item),
            sent_ms=samples_to_us(item.sent, rate) // _MS,
            played_ms=samples_to_us(item.played, rate) // _MS,
            underruns=item.underruns,
            reason=item.reason,
            may_go_on=item.may_go_on,
        )
        self._settle(item)
        if item.is_over:
            self._queued.pop(item.id, None)
            self._start_us.pop(item.id, None)
        if self._session is not None:
            self._session.remark(remark_of(draft))
        self._call.has_news()

    def _start_of(self, item: Item) -> int | None:
        """Return when it was first heard; what was only just sent will be soon."""
        if item.heard_from_us is None:
            return None
        soon = self._call.clock.at(self._call.at_us(item.heard_from_us))
        return self._start_us.get(item.id, soon)

    def _settle(self, item: Item) -> None:
        """Say what this proves of the order behind it."""
        call = self._call.call_id
        match item.state:
            case ItemState.PLAYING:
                words = "Its first sample was sent into the call."
                self._speech_news.outcome(item.command, call, is_done=True, words=words)
            case ItemState.PLAYED:
                words = "It was heard."
                self._speech_news.outcome(item.command, call, is_done=True, words=words)
            case ItemState.STOPPED | ItemState.FAILED if item.heard_from_us is None:
                words = f"Nothing of it was heard: {item.reason}."
                self._speech_news.outcome(
                    item.command, call, is_done=False, words=words
                )
            case _:
                # Nothing yet; or its beginning, which was told, proved the order.
                pass
