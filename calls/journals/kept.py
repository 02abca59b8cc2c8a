"""Journals whose sockets are recorded, and which are here all the same.

Most are left over: a finisher died between its commit and their removal, or a backup
that was taken before it was restored behind it. But one that comes back after a copy of
it was recorded may have more than the copy had, and there is nothing else that has it.
"""

from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from calls.journals.format import NO_MESSAGES
from calls.journals.reading import JournalHeader, Kind, read
from calls.journals.rolling import is_rescued
from calls.models import Connection
from streaming.protocol import US


class Held(NamedTuple):
    """What a journal holds: records but for its seal, those of audio, and messages."""

    records: int
    packets: int
    # What came over the socket, as `CallReplay` counts it.
    messages: int


def stays(path: Path, header: JournalHeader, socket: Connection) -> bool:
    """Say whether the journal of a socket that is recorded is not ours to remove."""
    return is_rescued(socket, header) or has_more(path, socket)


def has_more(path: Path, socket: Connection) -> bool:
    """Say whether a journal holds more than was read for the recording.

    So it is with one that comes back after a copy of it was recorded here, on a node
    that has the lost one's name.
    """
    with suppress(FileNotFoundError):
        file = path.stat()
        held = _held(path, file.st_size, file.st_mtime_ns)
        if socket.journal_records is not None:
            return held.records > socket.journal_records
        # Recorded by a release that did not count records. What we said came over no
        # socket: where there is any, the journal stays.
        return (
            held.packets > socket.packets - socket.unjournaled
            or held.messages > socket.messages
        )
    return False


# Read once, however often sweeps ask.
@lru_cache(maxsize=256)
def _held(path: Path, size: int, mtime_ns: int) -> Held:
    records = packets = messages = 0
    with read(path) as journal:
        for record in journal.records(past_damage=True):
            is_audio = record.kind == Kind.AUDIO
            is_ours = is_audio and journal.participants.get(record.participant) == US
            records += record.kind != Kind.SEAL
            packets += is_audio
            messages += record.kind not in NO_MESSAGES and not is_ours
    return Held(records, packets, messages)
