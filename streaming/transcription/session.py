"""What one transcription socket brings. No Django.

A `TranscriptionSession` journals every frame and hands what was said to the transcript
of its call. Nothing here waits, and nothing a peer sends is refused but floods: a frame
that cannot be read is kept like any other.
"""

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import replace
from datetime import datetime
from itertools import takewhile
from pathlib import Path
from typing import Final
from uuid import UUID

from calls.drafts import ConnectionDraft, SegmentDraft
from calls.instants import microseconds
from calls.transcripts.hearing import WAITED, Lag, Piece, Socket
from streaming.call_audio import CallAudio
from streaming.ingest import TOO_BIG
from streaming.journal import Journal
from streaming.protocol import (
    DecodeError,
    TranscriptionData,
    TranscriptionMetadata,
    decode,
)
from streaming.protocol.session import INVALID_DATA, Refused
from streaming.socket_rows import Counts, Opening, socket_draft

TRANSCRIPTION: Final = "transcription"


class TranscriptionSession:
    """One transcription socket, from its handshake to its seal.

    Feed it each message with its arrival (µs since the socket opened, by a monotonic
    clock). `heard` is given each piece, also unfinished ones.
    """

    def __init__(
        self,
        call: CallAudio,
        connection_id: UUID,
        journal: Journal,
        opening: Opening,
        *,
        heard: Callable[["TranscriptionSession", Piece], None],
        max_malformed: int = 50,
    ) -> None:
        self.call = call
        self.id = connection_id
        self.journal = journal
        self.opening = opening
        self.counts = Counts()
        self.messages = self.unknown = 0
        self.superseded: Callable[..., None] | None = None
        self._heard = heard
        self._socket = Socket(
            connection_id, microseconds(opening.opened_at), opening.waited_us
        )
        self._lag = Lag()
        self._max_malformed = max_malformed
        self._malformed_in_a_row = 0
        self._waiting: list[SegmentDraft] = []
        call.transcription_sessions.append(self)

    def take(self, frame: str | bytes, arrival_us: int) -> Refused | None:
        """Journal one message, and say what was said in it."""
        self.messages += 1
        try:
            message = decode(frame)
        except DecodeError as exc:
            return self._malformed(str(exc), frame, arrival_us)
        self._malformed_in_a_row = 0
        match message:
            case TranscriptionMetadata():
                if self._socket.waited_us:
                    waited = {"event": WAITED, "us": self._socket.waited_us}
                    self.journal.note(waited, arrival_us)
                self.journal.transcription(frame, arrival_us)
                self._begin(arrival_us)
            case TranscriptionData():
                self._data(message, frame, arrival_us)
            case _:
                # Among them tones: where digits are masked, this is no way around it.
                self.unknown += 1
                self.journal.unknown(self.call.kept(frame), arrival_us)
        return None

    def take_too_big(self, frame: str | bytes, arrival_us: int) -> Refused:
        """Keep a message that is too long to be read, and refuse its socket."""
        self.messages += 1
        self.counts.too_big += 1
        reason = f"a message of {len(frame)} bytes"
        self._malformed(reason, frame, arrival_us)
        return Refused(reason, TOO_BIG)

    def _malformed(
        self, reason: str, frame: str | bytes, arrival_us: int
    ) -> Refused | None:
        self.counts.malformed += 1
        self.counts.last_fault = reason
        self.journal.malformed(self.call.kept(frame), arrival_us)
        self._malformed_in_a_row += 1
        if self._malformed_in_a_row < self._max_malformed:
            return None
        return Refused(f"{self._malformed_in_a_row} malformed in a row", INVALID_DATA)

    def _begin(self, arrival_us: int) -> None:
        self.call.transcript.begin(self._socket, arrival_us)
        # A redial: those dialled before this one are told to go.
        for older in takewhile(
            lambda other: other is not self, self.call.transcription_sessions
        ):
            if older.superseded:
                tell, older.superseded = older.superseded, None
                tell()

    def end(self, reason: str) -> None:
        """Have the socket closed, once, when nothing more comes over it."""
        if self.superseded:
            tell, self.superseded = self.superseded, None
            tell(reason)

    def _data(
        self, heard: TranscriptionData, frame: str | bytes, arrival_us: int
    ) -> None:
        lag_us = self.call.lag_us()
        if self._lag.learn(lag_us):
            # Before the frame: whoever reads the journal knows then what we know now.
            self.journal.note({"event": "lag", "us": lag_us}, arrival_us)
        self.journal.transcription(frame, arrival_us)
        self.call.texts_heard += 1
        self.counts.last_packet_us = arrival_us
        piece = self.call.transcript.hear(
            self._socket, heard, arrival_us, self._lag.us or 0
        )
        if piece is None:
            return
        if piece.is_final:
            self._waiting.append(piece.draft)
        self._heard(self, piece)

    def close(self, code: int | None, reason: str, at: datetime) -> Future[Path] | None:
        """Seal the journal, once; the future resolves when all of it is on disk."""
        counts = self.counts
        if counts.closed_at is not None:
            return None
        counts.closed_at, counts.close_code, counts.close_reason = at, code, reason
        self.call.transcription_sessions.remove(self)
        return self.journal.seal(
            code,
            reason,
            {
                "messages": self.messages,
                "malformed": counts.malformed,
                "unknown": self.unknown,
            },
        )

    @property
    def is_news(self) -> bool:
        """Say whether something was said that was not asked for yet."""
        return bool(self._waiting)

    def segment_drafts(self) -> list[SegmentDraft]:
        """Return the final pieces that came since the last call."""
        drafts, self._waiting = self._waiting, []
        return drafts

    def draft(self, *, process_id: UUID, node: str) -> ConnectionDraft:
        """Return this socket as the row it makes."""
        draft = socket_draft(self, process_id=process_id, node=node)
        return replace(draft, kind=TRANSCRIPTION)
