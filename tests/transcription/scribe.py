"""A transcription socket on a table: no network, time as we say."""

from datetime import timedelta
from uuid import uuid4

from calls.journals.reading import JournalHeader
from calls.transcripts.hearing import Piece
from streaming.socket_rows import Opening
from streaming.transcription.session import TranscriptionSession
from tests.streaming.desk import OPENED, Desk
from tests.streaming.wire import microseconds

OPENED_US = microseconds(OPENED)
SECOND = 1_000_000


class Scribe:
    """One transcription socket of a desk's call, and the pieces that came over it."""

    def __init__(self, desk: Desk, after: float = 0.0, waited: float = 0.0) -> None:
        """`waited`: so many seconds before it opened its request had come."""
        opened_at = OPENED + timedelta(seconds=after)
        header = JournalHeader(
            call_id=desk.call.call_id,
            connection_id=uuid4(),
            call_connection_id="acs-connection",
            correlation_id="correlation",
            opened_at=opened_at,
            node="desk",
            pid=1,
            software="tests",
            socket="transcription",
        )
        self.after_us = round(after * SECOND)
        waited_us = round(waited * SECOND)
        self.pieces: list[Piece] = []
        self.session = TranscriptionSession(
            desk.call,
            header.connection_id,
            desk.journals.open(header),
            Opening("acs-connection", "correlation", "192.0.2.1", opened_at, waited_us),
            heard=lambda _, piece: self.pieces.append(piece),
        )

    def hear(self, frame: str | bytes, at: float) -> None:
        """Take a frame so many seconds after the desk's call was opened."""
        arrival_us = round(at * SECOND) - self.after_us
        assert self.session.take(frame, arrival_us) is None

    @property
    def starts(self) -> list[float]:
        """Return when final pieces begin, in seconds of the desk's call."""
        return [
            (piece.draft.start_us - OPENED_US) / SECOND
            for piece in self.pieces
            if piece.is_final
        ]
