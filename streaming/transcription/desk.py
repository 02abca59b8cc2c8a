"""The transcription sockets of one ingest process, beside its media sockets.

They bear next to nothing, so the number of media sockets a process may hold does not
keep them out: a call that is recorded here may be transcribed here.
"""

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Final
from uuid import UUID, uuid4

from django.conf import settings

from calls.drafts import ArchiveBatch, CallFacts
from calls.ingest_facts import calls_ended_among
from calls.transcripts.hearing import Piece
from streaming.ingest import Opening
from streaming.room import NoRoomError
from streaming.transcription.captions import Captions
from streaming.transcription.session import TRANSCRIPTION, TranscriptionSession

if TYPE_CHECKING:
    from streaming.recorder import Recorder

MAX_SOCKETS: Final = 2_000
# The database has so many seconds to say which calls are over.
PATIENCE: Final = 1.0
# ACS has so many to close the socket of such a call itself.
GRACE: Final = 30.0


class TranscriptDesk:
    """Opens and closes transcription sockets, and passes on what comes over them."""

    def __init__(self, house: "Recorder") -> None:
        self._house = house
        self._ended: list[TranscriptionSession] = []
        # Since when calls are known to be over whose sockets are open.
        self._over: dict[UUID, float] = {}
        self.captions = Captions(house.live.redis)

    @property
    def open(self) -> list[TranscriptionSession]:
        """Return the open sockets."""
        return [one for call in self._house.calls.values() for one in call.scribes]

    def take(
        self,
        call_id: UUID,
        opening: Opening,
        facts: CallFacts | None,
        superseded: Callable[..., None],
    ) -> TranscriptionSession:
        """Take a socket: its journal is opened, its row is on its way.

        Raises `NoRoomError`.
        """
        house = self._house
        if len(self.open) >= MAX_SOCKETS:
            raise NoRoomError(f"{MAX_SOCKETS} transcription sockets are open")
        house.start()
        call, opened_at = house.call_taken(call_id, facts, opening.opened_at)
        opening = replace(opening, opened_at=opened_at)
        connection_id = uuid4()
        journal = house.journal_open(
            call_id, connection_id, opening, socket=TRANSCRIPTION
        )
        house.call_keep(call)
        session = TranscriptionSession(
            call, connection_id, journal, opening, heard=self._heard
        )
        session.superseded = superseded
        call.idle_since = None
        self._put([session])
        house.rows.wake()
        return session

    def _heard(self, session: TranscriptionSession, piece: Piece) -> None:
        self.captions.tell(piece)
        if piece.is_final:
            self._house.rows.wake()

    def close(
        self, session: TranscriptionSession, code: int | None, reason: str
    ) -> None:
        """Seal a socket's journal; what it told goes to the database at once."""
        if session.close(code, reason, datetime.now(UTC)) is None:
            return
        self._ended.append(session)
        self._house.call_left(session.call)
        self._house.rows.wake()

    async def end_over(self, now: float) -> None:
        """Have sockets closed that ACS left open although their calls are over.

        A call's recording waits for its last socket. `now` is a monotonic time.
        """
        calls = [
            call
            for call in self._house.calls.values()
            if call.scribes and not call.sessions
        ]
        asked = [call.call_id for call in calls]
        if not asked:
            return
        over = await self._house.archive.ask(
            partial(calls_ended_among, asked), PATIENCE
        )
        if over is None:
            return
        self._over = {one: self._over.get(one, now) for one in over}
        for call in calls:
            if now - self._over.get(call.call_id, now) >= GRACE:
                for scribe in call.scribes:
                    scribe.end("the call is over")

    def put(self, *, everything: bool = False) -> None:
        """Have written what was said, and the sockets that ended.

        `everything`: also what the open ones have counted.
        """
        ended, self._ended = self._ended, []
        self._put([*ended, *(one for one in self.open if everything or one.is_news)])

    def _put(self, sessions: Iterable[TranscriptionSession]) -> None:
        sessions = list(sessions)
        if not sessions:
            return
        process_id = self._house.process_id
        self._house.archive.put(
            ArchiveBatch(
                connections=[
                    one.draft(process_id=process_id, node=settings.NODE)
                    for one in sessions
                ],
                segments=[draft for one in sessions for draft in one.segment_drafts()],
            )
        )
