"""Writing journals: everything received goes here before anything else happens to it.

The event loop appends records to memory, which cannot block and cannot fail. Two
threads per process serve all journals: one writes what waits every `flush_interval`
and never waits for a disk to confirm; the other has each changed journal on the disk
itself once per `sync_interval`, so that a slow disk delays the confirmation of audio
but not its writing.

What a death costs, with the defaults: `kill -9` of the process, what came in the last
100 ms (the kernel has the rest); a power cut, what came in the last second.

When the disk does not take bytes they wait in memory and are tried again each tick,
going on exactly where the last write ended. Beyond `max_pending_bytes` new records
are dropped and counted; a NOTE in their place says how many. PARTICIPANT, NOTE and
SEAL records are never dropped: they are few, and the others need them.

Threads: the methods of a `JournalWriter` and its journals belong to one thread, the
event loop's; only `error`, `health()` and `close()` may be called from any.
Processes: threads do not survive a fork. A writer belongs to the process that opened
its first journal; after a fork make a new one. A forked child that does not exec
keeps its parent's locks until it ends (descriptors are close-on-exec).
"""

import functools
import json
import time
import zlib
from collections.abc import Mapping
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from calls.journals.format import (
    COUNT,
    CRC,
    NO_PARTICIPANT,
    NO_TIMESTAMP,
    RECORD_FIXED,
    SILENT,
    SUFFIX,
    ZEROS,
    JournalError,
    JournalHeader,
    Kind,
    encode_header,
    encode_record,
    encode_text,
)
from streaming.append_file import AppendFile, free_bytes
from streaming.journal_outlet import Outlet, Traffic
from streaming.journal_threads import JournalThreads, WriterHealth
from streaming.protocol import US

__all__ = ["Journal", "JournalWriter", "WriterHealth", "free_bytes"]

_AUDIO = int(Kind.AUDIO)
_OVERHEAD = RECORD_FIXED.size + CRC.size


class JournalWriter:
    """Takes every journal of a process to `directory`, which it creates.

    `flush_interval` and `sync_interval` are in seconds; `max_pending_bytes` bounds
    what waits in memory, over all journals together. Nothing starts before `open`.
    """

    def __init__(
        self,
        directory: Path,
        *,
        flush_interval: float = 0.1,
        sync_interval: float = 1.0,
        max_pending_bytes: int = 64 * 1024 * 1024,
    ) -> None:
        self.directory = directory
        self._max_pending_bytes = max_pending_bytes
        self._traffic = Traffic()
        self._threads = JournalThreads(
            self._traffic, flush_interval=flush_interval, sync_interval=sync_interval
        )

    def open(self, header: JournalHeader) -> "Journal":
        """Return a new journal, its file to be created by the writer thread.

        Records may follow at once. A file that cannot be created is told by
        `Journal.error` and tried again each tick. Raises JournalError if the
        connection has a journal already, or the writer is closed or forked.
        """
        path = self.directory / f"{header.connection_id}{SUFFIX}"
        if path.exists():
            raise JournalError(f"{path.name} exists already")
        journal = Journal(header, path, self._traffic, self._max_pending_bytes)
        self._threads.add(header.connection_id, journal._outlet)
        return journal

    @property
    def written_bytes(self) -> int:
        """Return the bytes of records written so far, over all journals."""
        return self._traffic.written

    def health(self) -> WriterHealth:
        """Return how the way to the disk is doing at this moment."""
        return self._threads.health()

    def close(self, timeout: float = 10.0) -> bool:
        """Take everything to the disk and close all files, sealed or not.

        Returns whether all of it got there within `timeout` seconds. It blocks:
        call it from a worker thread, or when the event loop has ended. What is
        appended afterwards is never written.
        """
        return self._threads.close(timeout)


class Journal:
    """One connection's journal, as the event loop sees it; `JournalWriter.open` it.

    Appends return whether the record was taken; False means dropped and counted.
    `arrival_us` is microseconds since the header's `opened_at` by a monotonic clock;
    where it is optional, now is meant. `timestamp_us` is microseconds since 1970.
    Appending after `seal` raises JournalError.
    """

    def __init__(
        self, header: JournalHeader, path: Path, traffic: Traffic, limit: int
    ) -> None:
        start, self._seed = encode_header(header)
        self.header = header
        self.path = path
        self.dropped_packets = 0
        self.dropped_records = 0
        self._reported = (0, 0)
        self._sealed: Future[Path] | None = None
        # True while appending needs a closer look: sealed, or drops to report.
        self._guarded = False
        self._indexes: dict[str, int] = {}
        self._opened = time.monotonic_ns()
        self._traffic = traffic
        self._limit = limit
        self._outlet = Outlet(AppendFile(path, start), traffic)
        self._extend = self._outlet.pieces.extend

    @property
    def error(self) -> str | None:
        """What the disk refused, in words; None while all is well.

        A refused write is forgotten once it succeeds. A refused sync is not: the
        system may have given up bytes it had taken, and will not say so twice.
        """
        return self._outlet.write_error or self._outlet.sync_error

    def participant(self, raw_id: str | None, arrival_us: int | None = None) -> int:
        """Return the index of a raw id in this journal, defining it if it is new.

        A frame that named nobody (None) has NO_PARTICIPANT. Raises JournalError at
        the 65,536th raw id of a connection: bound them before they come here.
        """
        if raw_id is None:
            return NO_PARTICIPANT
        index = self._indexes.get(raw_id)
        if index is None:
            index = len(self._indexes)
            if index == NO_PARTICIPANT:
                raise JournalError("more participants than a journal can name")
            payload = encode_text(raw_id)
            self._append(Kind.PARTICIPANT, payload, arrival_us, participant=index)
            self._indexes[raw_id] = index
        return index

    def audio(
        self,
        participant: int,
        timestamp_us: int | None,
        arrival_us: int,
        pcm: bytes,
        silent: bool,
    ) -> bool:
        """Append one packet. `pcm` is kept, not copied: hand over bytes, no view."""
        # The one hot call, 50 times a second per speaker: `_append` written out.
        traffic = self._traffic
        if (
            self._guarded or traffic.accepted - traffic.written > self._limit
        ) and not self._may_append(Kind.AUDIO, participant):
            return False
        flags = SILENT if silent else 0
        if pcm and not pcm[0] and pcm == _zeros(len(pcm)):
            flags |= ZEROS
            pcm = COUNT.pack(len(pcm))
        at = NO_TIMESTAMP if timestamp_us is None else timestamp_us
        head = RECORD_FIXED.pack(len(pcm), _AUDIO, flags, participant, at, arrival_us)
        crc = zlib.crc32(pcm, zlib.crc32(head, self._seed))
        # One step of the interpreter: the writer thread never meets half a record.
        self._extend((head, pcm, CRC.pack(crc)))
        traffic.accepted += _OVERHEAD + len(pcm)
        return True

    def metadata(self, raw: str | bytes, arrival_us: int) -> bool:
        """Append an AudioMetadata frame as received."""
        return self._frame(Kind.METADATA, raw, arrival_us)

    def dtmf(
        self,
        raw: str | bytes,
        arrival_us: int,
        timestamp_us: int | None = None,
        participant: int = NO_PARTICIPANT,
    ) -> bool:
        """Append a DtmfData frame as received."""
        return self._frame(Kind.DTMF, raw, arrival_us, timestamp_us, participant)

    def transcription(self, raw: str | bytes, arrival_us: int) -> bool:
        """Append a frame of a transcription socket as received."""
        return self._frame(Kind.TRANSCRIPTION, raw, arrival_us)

    def unknown(self, raw: str | bytes, arrival_us: int) -> bool:
        """Append a readable frame of a kind we have not met."""
        return self._frame(Kind.UNKNOWN, raw, arrival_us)

    def malformed(self, raw: str | bytes, arrival_us: int) -> bool:
        """Append a frame that could not be read, as received."""
        return self._frame(Kind.MALFORMED, raw, arrival_us)

    def outbound(self, raw: str | bytes, arrival_us: int) -> bool:
        """Append a frame we sent."""
        return self._frame(Kind.OUTBOUND, raw, arrival_us)

    def note(self, remark: Mapping[str, Any], arrival_us: int | None = None) -> None:
        """Append a remark of ours: a JSON object with a member `event`. Never drops."""
        self._append(Kind.NOTE, json.dumps(dict(remark)).encode(), arrival_us)

    def seal(
        self, code: int | None, reason: str, counters: Mapping[str, Any]
    ) -> Future[Path]:
        """Append the last record; the future resolves when all is on the disk.

        By then the file is closed and no longer live. The future fails with
        JournalError only if the writer is closed while the disk refuses. A second
        call appends nothing and returns the first one's future.
        """
        if self._sealed is not None:
            return self._sealed
        self._report_dropped()
        document = {
            "code": code,
            "reason": reason,
            "counters": dict(counters),
            "dropped_packets": self.dropped_packets,
            "dropped_records": self.dropped_records,
            "sync_failures": self._outlet.sync_failures,
        }
        self._append(Kind.SEAL, json.dumps(document).encode(), None)
        sealed: Future[Path] = Future()
        # Running from the start: a caller that stops waiting cannot cancel it.
        sealed.set_running_or_notify_cancel()
        self._guarded = True
        self._sealed = self._outlet.sealed = sealed
        return sealed

    def _frame(
        self,
        kind: Kind,
        raw: str | bytes,
        arrival_us: int,
        timestamp_us: int | None = None,
        participant: int = NO_PARTICIPANT,
    ) -> bool:
        if not self._may_append(kind):
            return False
        payload = encode_text(raw) if isinstance(raw, str) else raw
        self._append(kind, payload, arrival_us, timestamp_us, participant)
        return True

    def _append(
        self,
        kind: Kind,
        payload: bytes,
        arrival_us: int | None,
        timestamp_us: int | None = None,
        participant: int = NO_PARTICIPANT,
    ) -> None:
        if self._sealed is not None:
            raise JournalError(f"journal {self.header.connection_id} is sealed")
        if arrival_us is None:
            arrival_us = (time.monotonic_ns() - self._opened) // 1000
        pieces = encode_record(
            self._seed,
            kind,
            payload,
            arrival_us=arrival_us,
            timestamp_us=timestamp_us,
            participant=participant,
        )
        self._extend(pieces)
        self._traffic.accepted += _OVERHEAD + len(payload)

    def _may_append(self, kind: Kind, participant: int = NO_PARTICIPANT) -> bool:
        """Count a record as dropped if memory is full, else report earlier drops.

        What we said came over no socket: it counts among no packets.
        """
        if self._sealed is not None:
            raise JournalError(f"journal {self.header.connection_id} is sealed")
        traffic = self._traffic
        if traffic.accepted - traffic.written <= self._limit:
            self._report_dropped()
            return True
        is_packet = kind == Kind.AUDIO and participant != self._indexes.get(US)
        self.dropped_records += 1
        self.dropped_packets += is_packet
        traffic.dropped_records += 1
        traffic.dropped_packets += is_packet
        self._guarded = True
        return False

    def _report_dropped(self) -> None:
        """Put on record, where they are missing, how many records were dropped."""
        dropped = (self.dropped_packets, self.dropped_records)
        if dropped != self._reported:
            packets, records = self._reported
            self._reported = dropped
            self._guarded = False
            self.note(
                {
                    "event": "dropped",
                    "packets": self.dropped_packets - packets,
                    "records": self.dropped_records - records,
                }
            )


@functools.lru_cache(maxsize=16)
def _zeros(length: int) -> bytes:
    return bytes(length)
