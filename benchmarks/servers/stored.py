"""What a server has kept, found out from outside: its files, rows or journals."""

import json
import sqlite3
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from benchmarks.frames import PACKET_BYTES
from calls.journals.reading import JournalError, JournalFile, Kind, read


@dataclass(frozen=True, slots=True)
class Kept:
    """Packets of one stream; the sum of their timestamps where they are kept."""

    packets: int
    stamp_sum: int | None = None


class Store(Protocol):
    """Where a server keeps what it received."""

    has_files: bool

    def files(self, streams: tuple[int, ...]) -> dict[int, Path]:
        """Return the files of these streams that are there already."""

    def ends(self, path: Path) -> list[int]:
        """Return at which size of the file each packet was wholly in it."""

    def kept(self) -> dict[int, Kept] | None:
        """Return what is there of each stream; None: nothing is meant to be kept."""

    def so_far(self) -> int | None:
        """Return the packets stored at this moment, where that is cheap to know."""


class NoStore:
    """Nothing is kept."""

    has_files = False

    def files(self, streams: tuple[int, ...]) -> dict[int, Path]:
        """None."""
        return {}

    def ends(self, path: Path) -> list[int]:
        """None."""
        return []

    def kept(self) -> None:
        """Nothing is meant to be."""

    def so_far(self) -> int | None:
        """Nobody knows."""
        return None


class PcmStore:
    """One file of PCM per stream, `<stream>.pcm`."""

    has_files = True

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def files(self, streams: tuple[int, ...]) -> dict[int, Path]:
        """Return the files of these streams that are there already."""
        paths = {stream: self.folder / f"{stream}.pcm" for stream in streams}
        return {stream: path for stream, path in paths.items() if path.exists()}

    def ends(self, path: Path) -> list[int]:
        """Return at which size of the file each packet was wholly in it."""
        return list(range(PACKET_BYTES, path.stat().st_size + 1, PACKET_BYTES))

    def kept(self) -> dict[int, Kept]:
        """Return what is there of each stream."""
        return {
            int(path.stem): Kept(path.stat().st_size // PACKET_BYTES)
            for path in self.folder.glob("*.pcm")
        }

    def so_far(self) -> int | None:
        """Not cheap to know."""
        return None


class JournalStore:
    """Journals of this project; a redialled stream has several."""

    has_files = True

    def __init__(self, folder: Path, name: str = "bench") -> None:
        self.folder = folder
        self.name = name

    def files(self, streams: tuple[int, ...]) -> dict[int, Path]:
        """Return the first journals of these streams that are there already."""
        found: dict[int, Path] = {}
        for path in self.folder.glob("*.journal"):
            # Its header may be half written.
            with suppress(JournalError), read(path) as journal:
                stream = self._stream(journal)
                if stream is not None and stream in streams:
                    found[stream] = path
        return found

    def ends(self, path: Path) -> list[int]:
        """Return at which size of the file each packet was wholly in it."""
        with read(path) as journal:
            records = [(one.kind, one.offset) for one in journal.records()]
            nexts = [*(offset for _, offset in records[1:]), journal.valid_bytes]
        return [
            end
            for (kind, _), end in zip(records, nexts, strict=True)
            if kind == Kind.AUDIO
        ]

    def kept(self) -> dict[int, Kept]:
        """Return what is there of each stream."""
        found: dict[int, Kept] = {}
        for path in self.folder.glob("*.journal"):
            with read(path) as journal:
                stream = self._stream(journal)
                packets = stamp_sum = 0
                if stream is None:
                    continue
                for record in journal.records():
                    if record.kind == Kind.AUDIO:
                        packets += 1
                        stamp_sum += record.timestamp_us or 0
            before = found.get(stream, Kept(0, 0))
            found[stream] = Kept(
                before.packets + packets, (before.stamp_sum or 0) + stamp_sum
            )
        return found

    def so_far(self) -> int | None:
        """Not cheap to know."""
        return None

    def _stream(self, journal: JournalFile) -> int | None:
        name, _, number = journal.header.call_connection_id.rpartition("-")
        return int(number) if name == self.name else None


class RowStore:
    """A database row per packet."""

    has_files = False

    def __init__(self, database: Path) -> None:
        self.database = database

    def files(self, streams: tuple[int, ...]) -> dict[int, Path]:
        """None: rows are not watched."""
        return {}

    def ends(self, path: Path) -> list[int]:
        """None."""
        return []

    def kept(self) -> dict[int, Kept]:
        """Return what is there of each stream."""
        with closing(sqlite3.connect(self.database, timeout=30)) as connection:
            rows = connection.execute("SELECT stream, COUNT(*) FROM packet GROUP BY 1")
            return {int(stream): Kept(count) for stream, count in rows}

    def so_far(self) -> int | None:
        """Return the number of rows."""
        with closing(sqlite3.connect(self.database, timeout=30)) as connection:
            (count,) = connection.execute("SELECT MAX(id) FROM packet").fetchone()
            return int(count or 0)


def lags(report: Path) -> list[tuple[float, float]]:
    """Return what a `Sampler` left: (monotonic time, lateness), seconds."""
    if not report.exists():
        return []
    return [(at, late) for at, late in json.loads(report.read_text("ascii"))]
