"""A call's transcript from its journals: the same pieces that ingest made.

What a handler wrote came over no socket: ingest notes it in the journal.
"""

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any, Final
from uuid import UUID

import msgspec

from calls.drafts import SegmentDraft
from calls.journals.reading import Record
from calls.journals.walk import JournalCount
from calls.transcripts.hearing import WAITED, CallTranscript, Socket
from streaming.protocol import (
    DecodeError,
    TranscriptionData,
    TranscriptionMetadata,
    decode,
)

EVENT: Final = "said"
# Of one piece in a note; its row has no more.
LONGEST: Final = 100_000


def remark_of(draft: SegmentDraft) -> dict[str, Any]:
    """Return what a journal notes of a piece that a handler wrote. It has words."""
    written = replace(draft, text=draft.text[:LONGEST])
    return {"event": EVENT, **msgspec.to_builtins(written)}


class TranscriptReplay:
    """Takes records in the order they came; `segments` are the final pieces."""

    def __init__(self, call_id: UUID) -> None:
        self._segments: dict[UUID, SegmentDraft] = {}
        self._transcript = CallTranscript(call_id)
        # By socket, as remarks tell it.
        self._lags: dict[UUID, int] = {}
        self._waited: dict[UUID, int] = {}

    @property
    def segments(self) -> list[SegmentDraft]:
        """Return the pieces; of one that was told again, as it was told last."""
        return list(self._segments.values())

    def remark(self, count: JournalCount, note: Record) -> None:
        """Take a NOTE: how late things arrive, or what a handler wrote."""
        remark = json.loads(note.text)
        event = remark.get("event")
        if event == "lag":
            self._lags[count.header.connection_id] = int(remark["us"])
        elif event == WAITED:
            self._waited[count.header.connection_id] = int(remark["us"])
        elif event == EVENT:
            self._written(remark)

    def _written(self, remark: Mapping[str, Any]) -> None:
        # Another release may have noted it otherwise.
        with suppress(msgspec.ValidationError):
            draft = msgspec.convert(remark, SegmentDraft)
            self._segments[draft.id] = draft

    def take(self, count: JournalCount, record: Record) -> None:
        """Take a TRANSCRIPTION record. A frame nobody can read says nothing."""
        try:
            message = decode(record.text)
        except DecodeError:
            return
        connection_id = count.header.connection_id
        waited_us = self._waited.get(connection_id, 0)
        socket = Socket(connection_id, count.opened_us, waited_us)
        if isinstance(message, TranscriptionMetadata):
            self._transcript.begin(socket, record.arrival_us)
        if isinstance(message, TranscriptionData):
            lag_us = self._lags.get(socket.id, 0)
            piece = self._transcript.hear(socket, message, record.arrival_us, lag_us)
            if piece and piece.is_final:
                self._segments[piece.draft.id] = piece.draft
