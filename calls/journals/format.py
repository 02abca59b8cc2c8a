"""The journal's file format, version 1: bytes to records and back.

One journal holds everything received on one connection, in the order it came, in
`<connection id>.journal`. All numbers are little-endian. A header, then records
until the end of the file, nothing between them and nothing after them.

    header    offset  size  content
              0       8     magic, the bytes "ACSJRNL" and a line feed
              8       2     version, u16: 1
              10      2     reserved, u16: 0
              12      4     n, u32: length of the JSON
              16      n     JSON object, UTF-8: call_id, connection_id (UUIDs),
                            call_connection_id, correlation_id (string or null),
                            opened_at (ISO 8601, UTC), opened_at_us (the same in
                            microseconds since 1970), node, pid, software, socket
                            (media or transcription; media where it is missing).
                            Members a reader does not know are to be ignored
              16+n    4     u32: CRC-32 of all bytes before it

    record    offset  size  content
              0       4     n, u32: length of the payload
              4       1     kind, u8
              5       1     flags, u8: 1 SILENT, 2 ZEROS (AUDIO only)
              6       2     participant, u16: an index defined by an earlier
                            PARTICIPANT record; 65535 when the frame named nobody
              8       8     capture timestamp, i64: microseconds since 1970 as the
                            peer stated it; -2**63 when it stated none
              16      8     arrival, u64: microseconds since opened_at, by a
                            monotonic clock
              24      n     payload
              24+n    4     u32: CRC-32 of bytes 0 to 24+n, continued from the
                            header's CRC, zlib.crc32(record, header_crc): a record
                            of another journal never passes for one of this file

    kind      payload
    1         METADATA       the AudioMetadata frame as received, UTF-8
    2         PARTICIPANT    the raw id, UTF-8, that the participant index means
    3         AUDIO          16-bit little-endian PCM. SILENT: ACS said silent; the
                             PCM is kept as it came even so. ZEROS: the PCM was all
                             zero bytes and the payload is their count, u32
    4         DTMF           the frame as received, UTF-8
    5         TRANSCRIPTION  the frame as received, UTF-8: TranscriptionMetadata,
                             TranscriptionData
    6         UNKNOWN        a readable frame of a kind we have not met, UTF-8
    7         MALFORMED      the frame as received, whatever it was
    8         OUTBOUND       a frame we sent, UTF-8
    9         NOTE           JSON object: our own remark (`"event": "dropped"`, …;
                             of a transcription socket `"event": "lag"`: by how many
                             `us` what is captured arrives later; `"waited"`: for
                             how many `us` its request had waited when it opened;
                             `"said"`: a piece of a transcript that a handler wrote)
    10        SEAL           JSON object: code, reason, counters, dropped_packets,
                             dropped_records, sync_failures. The last record of a
                             journal whose writer finished in good order

CRC-32 is zlib's. A file that ends inside a record has a torn tail: its writer was
killed. What stands before the tear is whole.
"""

import enum
import json
import zlib
from dataclasses import dataclass
from datetime import UTC, datetime
from struct import Struct
from typing import Any, Final, NamedTuple
from uuid import UUID

from calls.instants import instant, microseconds

MAGIC: Final = b"ACSJRNL\n"
VERSION: Final = 1
SUFFIX: Final = ".journal"

NO_PARTICIPANT: Final = 0xFFFF
NO_TIMESTAMP: Final = -(2**63)
SILENT: Final = 1
ZEROS: Final = 2

HEADER_FIXED: Final = Struct("<8sHHI")
RECORD_FIXED: Final = Struct("<IBBHqQ")
CRC: Final = Struct("<I")
COUNT: Final = Struct("<I")


class JournalError(Exception):
    """A journal that cannot be read, or a journal used against its contract."""


class Kind(enum.IntEnum):
    """What a record holds."""

    METADATA = 1
    PARTICIPANT = 2
    AUDIO = 3
    DTMF = 4
    TRANSCRIPTION = 5
    UNKNOWN = 6
    MALFORMED = 7
    OUTBOUND = 8
    NOTE = 9
    SEAL = 10


# Written by us: nothing that came over the socket.
NO_MESSAGES: Final = frozenset({Kind.PARTICIPANT, Kind.NOTE, Kind.SEAL})


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalHeader:
    """Whose journal it is: enough to rebuild the call with the database gone.

    `call_connection_id` and `correlation_id` are ACS's own; `opened_at` is aware.
    """

    call_id: UUID
    connection_id: UUID
    call_connection_id: str
    correlation_id: str | None
    opened_at: datetime
    node: str
    pid: int
    software: str
    # What ACS dialled it for; the values are those of `Connection.Kind`.
    socket: str = "media"

    @property
    def opened_at_us(self) -> int:
        """Return `opened_at` in microseconds since 1970."""
        return microseconds(self.opened_at)


@dataclass(frozen=True, slots=True, kw_only=True)
class Seal:
    """The writer's last word: why the connection ended and what it had counted.

    `dropped_packets` AUDIO records, ours not counted, of `dropped_records` of any kind,
    are not in the journal because the disk did not take them. `sync_failures` above
    zero means the disk once refused to confirm what it had accepted.
    """

    code: int | None
    reason: str
    counters: dict[str, Any]
    dropped_packets: int
    dropped_records: int
    sync_failures: int


class Record(NamedTuple):
    """One record as it stands in the file; `offset` is where it begins.

    `payload` is a view into the file: copy it (`bytes(...)`) to keep it.
    """

    kind: int
    flags: int
    participant: int
    timestamp_us: int | None
    arrival_us: int
    payload: memoryview
    offset: int

    @property
    def silent(self) -> bool:
        """Return whether ACS called this packet silent."""
        return bool(self.flags & SILENT)

    @property
    def pcm(self) -> bytes | memoryview:
        """Return the PCM of an AUDIO record as it was received."""
        if self.flags & ZEROS:
            return bytes(COUNT.unpack(self.payload)[0])
        return self.payload

    @property
    def end(self) -> int:
        """Return the offset at which the next record begins."""
        return self.offset + RECORD_FIXED.size + len(self.payload) + CRC.size

    @property
    def text(self) -> str:
        """Return the payload of a record that holds text."""
        return str(self.payload, "utf-8", "surrogatepass")


def encode_text(text: str) -> bytes:
    """Return text as a payload; a lone surrogate from the wire is no error here."""
    return text.encode("utf-8", "surrogatepass")


def encode_header(header: JournalHeader) -> tuple[bytes, int]:
    """Return the bytes a journal begins with, and the CRC its records start from."""
    document = {
        "call_id": str(header.call_id),
        "connection_id": str(header.connection_id),
        "call_connection_id": header.call_connection_id,
        "correlation_id": header.correlation_id,
        "opened_at": header.opened_at.astimezone(UTC).isoformat(),
        "opened_at_us": header.opened_at_us,
        "node": header.node,
        "pid": header.pid,
        "software": header.software,
        "socket": header.socket,
    }
    body = json.dumps(document, ensure_ascii=True).encode()
    head = HEADER_FIXED.pack(MAGIC, VERSION, 0, len(body)) + body
    crc = zlib.crc32(head)
    return head + CRC.pack(crc), crc


def decode_header(start: bytes | memoryview) -> tuple[JournalHeader, int, int]:
    """Return the header, the offset of the first record, and the header's CRC.

    Raises JournalError, in words, when `start` is not a whole header of a version
    this program reads.
    """
    if len(start) < HEADER_FIXED.size:
        raise JournalError(f"header is cut off after {len(start)} bytes")
    magic, version, _, length = HEADER_FIXED.unpack_from(start)
    if magic != MAGIC:
        raise JournalError("not a journal: it does not begin with ACSJRNL")
    if version > VERSION:
        raise JournalError(
            f"journal version {version} is newer than this program reads ({VERSION})"
        )
    end = HEADER_FIXED.size + length
    if len(start) < end + CRC.size:
        raise JournalError(f"header is cut off after {len(start)} bytes")
    (crc,) = CRC.unpack_from(start, end)
    if zlib.crc32(start[:end]) != crc:
        raise JournalError("header is damaged: its checksum is wrong")
    return _header(bytes(start[HEADER_FIXED.size : end])), end + CRC.size, crc


def _header(body: bytes) -> JournalHeader:
    try:
        document = json.loads(body)
        return JournalHeader(
            call_id=UUID(document["call_id"]),
            connection_id=UUID(document["connection_id"]),
            call_connection_id=document["call_connection_id"],
            correlation_id=document["correlation_id"],
            opened_at=instant(document["opened_at_us"]),
            node=document["node"],
            pid=document["pid"],
            software=document["software"],
            socket=document.get("socket", "media"),
        )
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
        raise JournalError(f"header is not understood: {error!r}") from error


def encode_record(
    seed: int,
    kind: int,
    payload: bytes,
    *,
    arrival_us: int,
    flags: int = 0,
    participant: int = NO_PARTICIPANT,
    timestamp_us: int | None = None,
) -> tuple[bytes, bytes, bytes]:
    """Return a record in three pieces to be written one after the other.

    `seed` is the header's CRC. Three pieces, because joining them here would copy
    every packet once more than needed.
    """
    head = RECORD_FIXED.pack(
        len(payload),
        kind,
        flags,
        participant,
        NO_TIMESTAMP if timestamp_us is None else timestamp_us,
        arrival_us,
    )
    return head, payload, CRC.pack(zlib.crc32(payload, zlib.crc32(head, seed)))


def decode_seal(payload: bytes) -> Seal:
    """Return what a SEAL record says. Raises JournalError if it is not a seal."""
    try:
        document = json.loads(payload)
        return Seal(
            code=document["code"],
            reason=document["reason"],
            counters=document["counters"],
            dropped_packets=document["dropped_packets"],
            dropped_records=document["dropped_records"],
            sync_failures=document["sync_failures"],
        )
    except (ValueError, KeyError, TypeError) as error:
        raise JournalError(f"seal is not understood: {error!r}") from error


__all__ = [
    "COUNT",
    "CRC",
    "MAGIC",
    "NO_PARTICIPANT",
    "NO_TIMESTAMP",
    "RECORD_FIXED",
    "SILENT",
    "SUFFIX",
    "VERSION",
    "ZEROS",
    "JournalError",
    "JournalHeader",
    "Kind",
    "Record",
    "Seal",
    "decode_header",
    "decode_seal",
    "encode_header",
    "encode_record",
    "encode_text",
]
