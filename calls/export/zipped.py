"""A zip as a stream of blocks: no temporary file, and no more memory than one block.

Python's own `zipfile` writes it: to a sink that cannot seek it puts sizes and checksums
behind each entry (APPNOTE.TXT 4.3.9) and Zip64 fields where an entry is large.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import chain

# Years a zip can tell (APPNOTE.TXT 4.4.6: MS-DOS time begins with 1980, 7 bits).
YEARS = range(1980, 2108)
# What a client may read of an entry: a plain file, for its owner to change.
MODE = 0o100644 << 16


@dataclass(frozen=True, slots=True)
class ZipEntry:
    """A file of a zip: its name with `/`, its bytes, and when it was made.

    `blocks` is begun when the entry's turn comes, not before. `size` in bytes, if it is
    known, or an upper bound: beyond 2 GiB an entry needs other fields, so one that may
    grow so large must say so. `is_text` is deflated; audio in FLAC would not shrink.
    """

    name: str
    blocks: Iterable[bytes]
    at: datetime
    size: int = 0
    is_text: bool = False


Failed = Callable[[ZipEntry, Exception], None]


def zip_blocks(
    entries: Iterable[ZipEntry], failed: Failed | None = None
) -> Iterator[bytes]:
    """Yield a zip of `entries`, in their order, each read when the last one is sent.

    An entry whose blocks cannot be read does not break the zip. If not even the first
    block came, the entry is left out, otherwise it ends where reading ended; `failed`
    is told, and since entries are asked for one by one, the next may say so. Without
    `failed` the exception is raised.
    """
    sink = _Sink()
    with zipfile.ZipFile(sink, "w") as archive:
        for entry in entries:
            try:
                yield from _entry_blocks(archive, sink, entry)
            except Exception as exc:
                # What storages raise differs from one to the next.
                if failed is None:
                    raise
                failed(entry, exc)
            yield from sink.taken()
    yield from sink.taken()


def _entry_blocks(
    archive: zipfile.ZipFile, sink: _Sink, entry: ZipEntry
) -> Iterator[bytes]:
    blocks = iter(entry.blocks)
    first = next(blocks, b"")
    with archive.open(_info(entry), "w", force_zip64=False) as file:
        for block in chain([first], blocks):
            file.write(block)
            yield from sink.taken()


def _info(entry: ZipEntry) -> zipfile.ZipInfo:
    at = entry.at
    year = min(max(at.year, YEARS.start), YEARS.stop - 1)
    info = zipfile.ZipInfo(
        entry.name, (year, at.month, at.day, at.hour, at.minute, at.second)
    )
    info.compress_type = zipfile.ZIP_DEFLATED if entry.is_text else zipfile.ZIP_STORED
    info.external_attr = MODE
    # By this zipfile decides whether the entry needs Zip64.
    info.file_size = entry.size
    return info


class _Sink(io.RawIOBase):
    """What zipfile writes to, and from where the blocks are taken again."""

    def __init__(self) -> None:
        self._blocks: list[bytes] = []

    def writable(self) -> bool:
        """Take bytes, at the end only: zipfile asks by trying `tell`."""
        return True

    def write(self, block: object, /) -> int:
        """Keep a block until it is taken."""
        kept = bytes(block)  # type: ignore[call-overload] # any buffer
        self._blocks.append(kept)
        return len(kept)

    def taken(self) -> Iterator[bytes]:
        """Yield what was written since, and forget it."""
        blocks, self._blocks = self._blocks, []
        if joined := b"".join(blocks):
            yield joined
