"""From frames of a call's transcription sockets to pieces of its transcript. No Django.

Ingest and finishing see the same frames with the same arrivals, so both make the same
pieces of them: same keys, same times. What ingest knows besides, by how much later than
its capture audio arrives, it writes into the journal as a remark.
"""

from typing import Final, NamedTuple
from uuid import UUID

from calls import identity
from calls.drafts import SegmentDraft
from calls.transcripts.timing import DAY_US, TICKS_PER_US, Scale, scale_of
from streaming.protocol import TranscribedWord, TranscriptionData

SOURCE: Final = "acs"
# What a journal notes: how long the request of its socket waited.
WAITED: Final = "waited"
INTERMEDIATE: Final = "intermediate"
# A peer that tells more is not listening: its frames are kept, rows are not made.
MAX_PIECES: Final = 100_000
MAX_STARTS: Final = 1_000
# A piece told again begins where it began; said again, seconds later at the least.
SAME_US: Final = 1_000_000
# By how much a lag must be less than the last that was noted, to be worth a remark.
LAG_STEP_US: Final = 5_000
# What comes so soon behind the opening of a socket was waiting for it.
AT_ONCE_US: Final = 1_000_000
# A lag that is longer by so much is another clock, not a slower network.
LAG_JUMP_US: Final = 2_000_000


class Socket(NamedTuple):
    """A transcription socket: its key, and when it opened, µs since 1970.

    `waited_us`: how long ACS's request waited before, to be let in.
    """

    id: UUID
    opened_us: int
    waited_us: int = 0


class Piece(NamedTuple):
    """What was said, or is being said."""

    draft: SegmentDraft
    is_final: bool


class Lag:
    """By how much later than its capture something arrives, µs. Least is truest."""

    def __init__(self) -> None:
        self.us: int | None = None

    def learn(self, us: int | None) -> bool:
        """Take what was measured; say whether more is known now."""
        if us is None:
            return False
        if self.us is not None and 0 <= us + LAG_STEP_US - self.us <= LAG_JUMP_US:
            return False
        self.us = us
        return True


class CallTranscript:
    """What ACS's transcription says of one call, over all its sockets."""

    def __init__(self, call_id: UUID) -> None:
        self.call_id = call_id
        # When transcription began, by our clock, µs since 1970.
        self._starts: list[int] = []
        # When final pieces began, by key; how many came without a time, by socket.
        self._begun: dict[UUID, int] = {}
        self._unplaced: dict[UUID, int] = {}

    def begin(self, socket: Socket, arrival_us: int) -> None:
        """Note that TranscriptionMetadata came."""
        if len(self._starts) >= MAX_STARTS:
            return
        # It was only waiting for its socket, if transcription had just been ordered:
        # how long we took to let that in is between the two, and not in its offsets.
        # A redial begins nothing but a socket.
        is_held_up = not self._starts and arrival_us < AT_ONCE_US
        held_up_us = socket.waited_us if is_held_up else 0
        self._starts.append(socket.opened_us + arrival_us - held_up_us)

    def hear(
        self, socket: Socket, heard: TranscriptionData, arrival_us: int, lag_us: int
    ) -> Piece | None:
        """Return a piece; None if nothing was said in it, or it was told before."""
        if not heard.text.strip() or len(self._begun) >= MAX_PIECES:
            return None
        raw_id = heard.participant_raw_id or ""
        told_us = socket.opened_us + arrival_us - lag_us
        offset, duration = _extent(heard)
        scale = self._scale(offset, duration, told_us, lag_us)
        start_us = scale.at(offset or 0)
        is_final = heard.result_status != INTERMEDIATE
        key: UUID | None = identity.speaking_id(socket.id, raw_id)
        if is_final:
            key = self._key(socket, raw_id, offset, heard.text, start_us)
        if key is None:
            return None
        draft = SegmentDraft(
            id=key,
            call_id=self.call_id,
            raw_id=raw_id,
            source=SOURCE,
            start_us=start_us,
            duration_us=duration // TICKS_PER_US,
            text=heard.text,
            words=_words(heard.words, scale, start_us),
            confidence=_share(heard.confidence),
            sentiment=heard.sentiment or "",
            language=heard.language or "",
            raw=_raw(heard),
        )
        return Piece(draft, is_final)

    def _scale(
        self, offset: int | None, duration: int, told_us: int, lag_us: int
    ) -> Scale:
        """Return how ticks are read: where nothing fits, the piece has just ended."""
        starts = (start - lag_us for start in self._starts)
        if offset is not None:
            scale = scale_of(offset, duration, told_us=told_us, starts=starts)
            if scale is not None:
                return scale
        return Scale(told_us - ((offset or 0) + duration) // TICKS_PER_US)

    def _key(
        self, socket: Socket, raw_id: str, offset: int | None, text: str, start_us: int
    ) -> UUID | None:
        """Return the key of a final piece; None if it was told before."""
        if offset is None:
            number = self._unplaced[socket.id] = self._unplaced.get(socket.id, 0) + 1
            return identity.segment_id(socket.id, number)
        # Where offsets begin anew, what is said again may have the same.
        for before in range(MAX_STARTS):
            key = identity.told_id(self.call_id, raw_id, offset, text, before)
            if key not in self._begun:
                self._begun[key] = start_us
                return key
            if abs(self._begun[key] - start_us) < SAME_US:
                return None
        return None


def _extent(heard: TranscriptionData) -> tuple[int | None, int]:
    """Return offset and duration in ticks, from the words where the piece has none."""
    offset, duration = heard.offset, heard.duration
    timed = [
        (word.offset, word.duration or 0)
        for word in heard.words
        if word.offset is not None
    ]
    if offset is None and timed:
        offset = timed[0][0]
    if duration is None and offset is not None and timed:
        last, length = timed[-1]
        duration = abs(last - offset) + length
    is_sane = duration is not None and duration < DAY_US * TICKS_PER_US
    return offset, duration if duration is not None and is_sane else 0


def _words(
    words: tuple[TranscribedWord, ...], scale: Scale, start_us: int
) -> list[tuple[str, int, int]]:
    """Return the words, timed from the beginning of their piece.

    One whose time is missing or cannot be follows the one before it.
    """
    placed, end = [], 0
    for word in words:
        start = -1 if word.offset is None else scale.at(word.offset) - start_us
        if not 0 <= start < DAY_US:
            start = end
        length = (word.duration or 0) // TICKS_PER_US
        length = length if length < DAY_US else 0
        placed.append((word.text, start, length))
        end = start + length
    return placed


def _share(confidence: float | None) -> float | None:
    is_share = confidence is not None and 0 <= confidence <= 1
    return confidence if is_share else None


def _raw(heard: TranscriptionData) -> dict[str, str]:
    """Return offset and duration as they were told, as text: browsers have no 2**63."""
    told = {"offset": heard.offset, "duration": heard.duration}
    return {name: str(ticks) for name, ticks in told.items() if ticks is not None}
