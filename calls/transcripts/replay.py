"""A call's transcript from its journals: the same pieces that ingest made."""

import json
from uuid import UUID

from calls.drafts import SegmentDraft
from calls.journal import Record
from calls.journal_walk import JournalCount
from calls.transcripts.hearing import CallTranscript, Socket
from streaming.protocol import (
    DecodeError,
    TranscriptionData,
    TranscriptionMetadata,
    decode,
)


class TranscriptReplay:
    """Takes records in the order they came; `segments` are the final pieces."""

    def __init__(self, call_id: UUID) -> None:
        self.segments: list[SegmentDraft] = []
        self._transcript = CallTranscript(call_id)
        # By socket, as remarks tell it.
        self._lags: dict[UUID, int] = {}

    def remark(self, count: JournalCount, note: Record) -> None:
        """Learn from a NOTE by how much what is captured arrives later."""
        remark = json.loads(note.text)
        if remark.get("event") == "lag":
            self._lags[count.header.connection_id] = int(remark["us"])

    def take(self, count: JournalCount, record: Record) -> None:
        """Take a TRANSCRIPTION record. A frame nobody can read says nothing."""
        try:
            message = decode(record.text)
        except DecodeError:
            return
        socket = Socket(count.header.connection_id, count.opened_us)
        if isinstance(message, TranscriptionMetadata):
            self._transcript.begin(socket, record.arrival_us)
        if isinstance(message, TranscriptionData):
            lag_us = self._lags.get(socket.id, 0)
            piece = self._transcript.hear(socket, message, record.arrival_us, lag_us)
            if piece and piece.is_final:
                self.segments.append(piece.draft)
