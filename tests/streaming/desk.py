"""A call on a table: real journals, sockets without a network, time as we say."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Self
from uuid import uuid4

from calls.journals.reading import JournalHeader, Record, read
from calls.journals.replay import CallReplay
from streaming.call_audio import CallAudio
from streaming.ingest import MediaSession
from streaming.journal import JournalWriter
from streaming.protocol.session import Refused
from streaming.socket_rows import Opening

OPENED = datetime(2026, 3, 1, 12, 0, 0, 300_000, tzinfo=UTC)


class Desk:
    """Holds one call and the journals of its sockets."""

    def __init__(self, folder: Path, flush_interval: float = 0.01) -> None:
        self.folder = folder
        self.call = CallAudio(uuid4())
        self.call.mask(masks_tones=False)
        self.journals = JournalWriter(
            folder, flush_interval=flush_interval, sync_interval=0.05
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.journals.close()

    def socket(self, after: float = 0.0) -> MediaSession:
        """Open a socket so many seconds after the first could have been."""
        opened_at = OPENED + timedelta(seconds=after)
        header = JournalHeader(
            call_id=self.call.call_id,
            connection_id=uuid4(),
            call_connection_id="acs-connection",
            correlation_id="correlation",
            opened_at=opened_at,
            node="desk",
            pid=1,
            software="tests",
        )
        opening = Opening("acs-connection", "correlation", "192.0.2.1", opened_at)
        journal = self.journals.open(header)
        return MediaSession(self.call, header.connection_id, journal, opening)

    def seal(self, session: MediaSession, code: int | None = 1000) -> Path:
        """Close a socket; return its journal when all of it is on the disk."""
        sealed = session.close(code, "the end", OPENED + timedelta(hours=1))
        assert sealed is not None
        return sealed.result(timeout=30)

    def replay(self) -> CallReplay:
        """Replay every journal of the call, as finishing does."""
        again = CallReplay(
            self.call.call_id, placed=lambda *_: None, aside=lambda *_: None
        )
        again.run(self.folder.glob("*.journal"))
        return again


def feed(
    session: MediaSession, frames: Iterable[str | bytes], at_us: int = 0
) -> Refused | None:
    """Give a socket its frames, one each 20 ms; return the first refusal."""
    for number, frame in enumerate(frames):
        refused = session.take(frame, at_us + number * 20_000)
        if refused:
            return refused
    return None


def records(path: Path) -> list[tuple[int, bytes]]:
    """Return kind and payload of each record of a journal."""

    def plain(record: Record) -> tuple[int, bytes]:
        return record.kind, bytes(record.payload)

    with read(path) as journal:
        return [plain(record) for record in journal.records()]
