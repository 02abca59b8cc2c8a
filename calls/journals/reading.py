"""Reading journals: what a connection received, whatever happened to its writer.

`read` opens one journal, `scan` lists those nobody writes any more, and
`truncate_torn_tail` cuts what a killed writer left half-written. The format is
described in `calls.journals.format`; the writing side is not here: whoever receives
audio writes, everyone else only reads.

A torn or damaged record is a finding, not an exception: iteration stops before it
and `damage` says in words what was found. Only a file whose header cannot be read
raises JournalError.

    with read(path) as journal:
        for record in journal.records():
            if record.kind == Kind.AUDIO:
                place(journal.participants[record.participant], record.pcm)
        if journal.damage:
            ...

Liveness needs no database: a writer holds an exclusive flock on each journal it has
open, and the kernel drops it with the process. It is a local lock: ask on the node
that writes.
"""

import fcntl
import mmap
import os
import zlib
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from calls.journals.format import (
    CRC,
    NO_PARTICIPANT,
    NO_TIMESTAMP,
    RECORD_FIXED,
    SUFFIX,
    JournalError,
    JournalHeader,
    Kind,
    Record,
    Seal,
    decode_header,
    decode_seal,
)

__all__ = [
    "NO_PARTICIPANT",
    "FoundJournal",
    "JournalError",
    "JournalFile",
    "JournalHeader",
    "Kind",
    "Record",
    "Seal",
    "is_live",
    "read",
    "scan",
    "truncate_torn_tail",
]

# No frame is larger than the servers' message limit, 1 MiB. Only the search for
# records behind damage relies on this; a record in its place may have any length.
_PLAUSIBLE_PAYLOAD = 4 * 1024 * 1024
_MIN_RECORD = RECORD_FIXED.size + CRC.size


def read(path: Path) -> "JournalFile":
    """Open a journal as it is on disk at this moment, live or not.

    Raises JournalError if the header cannot be read, OSError if the file cannot.
    """
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        if not size:
            raise JournalError(f"{path.name}: header is cut off after 0 bytes")
        content = mmap.mmap(file.fileno(), size, access=mmap.ACCESS_READ)
    try:
        return JournalFile(path, content)
    except JournalError as error:
        raise JournalError(f"{path.name}: {error}") from error


class JournalFile:
    """One journal, read only. Iterate `records()`; the findings follow from it.

    `valid_bytes`, `damage` and `sealed` are known once the records were walked to
    the end; asked for earlier, they walk them.
    """

    def __init__(self, path: Path, content: mmap.mmap) -> None:
        self.path = path
        self.size = len(content)
        self._content = content
        self._view = memoryview(content)
        self.header, self._first, self._seed = decode_header(self._view)
        self._participants: dict[int, str | None] = {NO_PARTICIPANT: None}
        self._seal: tuple[int, bytes] | None = None
        self._begun = False
        self._stop: tuple[int, str | None] | None = None
        # Where the last walk went on behind damage: offsets of records.
        self.resumed_at: list[int] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def first_offset(self) -> int:
        """Return where the first record begins."""
        return self._first

    def close(self) -> None:
        """Let go of the file. Payloads still held keep its memory until they go."""
        self._view.release()
        try:
            self._content.close()
        except BufferError:
            # Somebody keeps a payload; the mapping ends with the last of them.
            return

    @property
    def valid_bytes(self) -> int:
        """Length of the header and all records up to the first that is not whole."""
        return self._walked()[0]

    @property
    def damage(self) -> str | None:
        """What ended the walk before the end of the file, in words."""
        return self._walked()[1]

    @property
    def sealed(self) -> Seal | None:
        """The seal, if the writer finished in good order and nothing follows it."""
        end, damage = self._walked()
        if self._seal is None or damage is not None or self._seal[0] != end:
            return None
        return decode_seal(self._seal[1])

    @property
    def is_ended(self) -> bool:
        """Return whether the file ends with a seal, damage before it or not.

        Known once `records(past_damage=True)` was walked to the end.
        """
        return self._seal is not None and self._seal[0] == self.size

    @property
    def participants(self) -> dict[int, str | None]:
        """Raw id of each participant index met so far; None for NO_PARTICIPANT.

        While `records()` is being walked it covers every record already yielded;
        asked for before, it walks them all.
        """
        if not self._begun:
            self._walked()
        return self._participants

    def records(self, *, past_damage: bool = False) -> Iterator[Record]:
        """Yield every whole record up to the first damage, in the order they came.

        With `past_damage`, search behind each damage for the next record whose
        checksum is right and go on there: one bad byte then costs one record.
        """
        self._begun = True
        self.resumed_at.clear()
        offset, damage = yield from self._run(self._first)
        self._stop = offset, damage
        while damage is not None and past_damage:
            resumed = self._next_whole(offset + 1)
            if resumed is None:
                return
            self.resumed_at.append(resumed)
            offset, damage = yield from self._run(resumed)

    def records_from(self, offset: int) -> Iterator[Record]:
        """Yield every whole record from `offset` on, past damage.

        `offset` is `first_offset`, or where a record of this file begins or ends.
        Unlike `records()` this notes nothing about the file.
        """
        at: int | None = offset
        while at is not None:
            end, damage = yield from self._run(at)
            at = None if damage is None else self._next_whole(end + 1)

    def heads(self, offset: int) -> Iterator[Record]:
        """Yield the records from `offset` on, without the checksums of audio.

        For an index of a long journal: other records are few, and are checked. Where a
        head is no head, the next whole record is searched for.
        """
        view, size = self._view, self.size
        fixed, fixed_size = RECORD_FIXED.unpack_from, RECORD_FIXED.size
        last, audio = max(Kind), int(Kind.AUDIO)
        while offset + _MIN_RECORD <= size:
            length, kind, flags, participant, at, arrival = fixed(view, offset)
            body = offset + fixed_size
            end = body + length
            is_head = 1 <= kind <= last and end + CRC.size <= size
            if not is_head or (kind != audio and not self._is_whole(offset, end)):
                resumed = self._next_whole(offset + 1)
                if resumed is None:
                    return
                offset = resumed
                continue
            timestamp = None if at == NO_TIMESTAMP else at
            payload = view[body:end]
            yield Record(kind, flags, participant, timestamp, arrival, payload, offset)
            offset = end + CRC.size

    def readable_after(self, offset: int) -> bool:
        """Return whether a whole record begins anywhere behind `offset`."""
        return self._next_whole(offset + 1) is not None

    def _walked(self) -> tuple[int, str | None]:
        if self._stop is None:
            for _ in self.records():
                pass
        if self._stop is None:
            raise AssertionError("a complete walk always notes where it stopped")
        return self._stop

    def _run(self, offset: int) -> Generator[Record, None, tuple[int, str | None]]:
        """Yield records from `offset`; return where that ended, and why if early."""
        view, size, seed = self._view, self.size, self._seed
        fixed, fixed_size = RECORD_FIXED.unpack_from, RECORD_FIXED.size
        checksum, crc32, make = CRC.unpack_from, zlib.crc32, Record._make
        audio = int(Kind.AUDIO)
        while offset < size:
            body = offset + fixed_size
            if body + 4 > size:
                return offset, _torn(offset, size)
            length, kind, flags, participant, at, arrival = fixed(view, offset)
            end = body + length
            if end + 4 > size:
                return offset, _torn(offset, size)
            if crc32(view[offset:end], seed) != checksum(view, end)[0]:
                return offset, f"record at byte {offset} is damaged: wrong checksum"
            payload = view[body:end]
            if kind != audio:
                self._take_notice(kind, participant, payload, end + 4)
            timestamp = None if at == NO_TIMESTAMP else at
            yield make((kind, flags, participant, timestamp, arrival, payload, offset))
            offset = end + 4
        return offset, None

    def _take_notice(
        self, kind: int, participant: int, payload: memoryview, end: int
    ) -> None:
        if kind == Kind.PARTICIPANT:
            self._participants[participant] = str(payload, "utf-8", "surrogatepass")
        elif kind == Kind.SEAL:
            self._seal = end, bytes(payload)

    def _is_whole(self, offset: int, end: int) -> bool:
        crc = zlib.crc32(self._view[offset:end], self._seed)
        return bool(crc == CRC.unpack_from(self._view, end)[0])

    def _next_whole(self, offset: int) -> int | None:
        """Return where the next record with a right checksum begins, if any."""
        view, size = self._view, self.size
        for start in range(offset, size - _MIN_RECORD + 1):
            length, kind, *_ = RECORD_FIXED.unpack_from(view, start)
            end = start + RECORD_FIXED.size + length
            if not 1 <= kind <= max(Kind) or length > _PLAUSIBLE_PAYLOAD:
                continue
            if end + CRC.size > size:
                continue
            if self._is_whole(start, end):
                return start
        return None


def _torn(offset: int, size: int) -> str:
    return f"record at byte {offset} is cut off: the file ends at byte {size}"


def truncate_torn_tail(path: Path) -> int:
    """Cut a journal behind its last whole record; return the bytes cut.

    Raises JournalError, and leaves the file as it is, if somebody still writes it,
    or if whole records follow the damage: that is no torn tail, and cutting there
    would throw away audio (`records(past_damage=True)` reads it).
    """
    with path.open("r+b") as file:
        if not _lock(file.fileno(), fcntl.LOCK_EX):
            raise JournalError(f"{path.name}: still being written")
        with read(path) as journal:
            valid, size = journal.valid_bytes, journal.size
            if journal.damage and journal.readable_after(valid):
                raise JournalError(f"{path.name}: not a torn tail: {journal.damage}")
        if valid < size:
            file.truncate(valid)
            os.fsync(file.fileno())
        return size - valid


def is_live(path: Path) -> bool:
    """Return whether a process on this machine has the journal open for writing."""
    try:
        file = path.open("rb")
    except FileNotFoundError:
        return False
    with file:
        return not _lock(file.fileno(), fcntl.LOCK_SH)


def _lock(descriptor: int, how: int) -> bool:
    try:
        fcntl.flock(descriptor, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@dataclass(frozen=True, slots=True)
class FoundJournal:
    """A journal nobody writes: its header, or why the header cannot be read."""

    path: Path
    size: int
    header: JournalHeader | None
    error: str | None


def scan(directory: Path) -> list[FoundJournal]:
    """Return the journals in `directory` that no process writes, oldest first.

    Reads headers only. A directory that is not there holds no journals.
    """
    found = []
    for path in sorted(directory.glob(f"*{SUFFIX}")):
        if is_live(path):
            continue
        try:
            with read(path) as journal:
                found.append(FoundJournal(path, journal.size, journal.header, None))
        except JournalError as error:
            found.append(FoundJournal(path, path.stat().st_size, None, str(error)))
        except FileNotFoundError:
            # Finished and deleted by somebody else since it was listed.
            continue
    return sorted(found, key=_opened)


def _opened(found: FoundJournal) -> tuple[int, str]:
    return found.header.opened_at_us if found.header else 0, found.path.name
