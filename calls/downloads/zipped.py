"""Files as a zip, written while it is sent: no temporary file, little memory."""

import io
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Entry:
    """A file of a zip. `size`: an upper bound, which decides about Zip64."""

    name: str
    blocks: Iterable[bytes]
    at: datetime
    size: int = 0
    is_text: bool = False


def zip_blocks(entries: Iterable[Entry]) -> Iterator[bytes]:
    """Yield a zip of `entries`, each read when its turn comes."""
    sink = _Sink()
    with zipfile.ZipFile(sink, "w") as archive:
        for entry in entries:
            with archive.open(_info(entry), "w") as file:
                for block in entry.blocks:
                    file.write(block)
                    yield from sink.taken()
    yield from sink.taken()


def _info(entry: Entry) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(entry.name, entry.at.timetuple()[:6])
    info.compress_type = zipfile.ZIP_DEFLATED if entry.is_text else zipfile.ZIP_STORED
    info.external_attr = 0o100644 << 16
    info.file_size = entry.size
    return info


class _Sink(io.RawIOBase):
    """What zipfile writes to; it cannot seek, so sizes stand behind each file."""

    def __init__(self) -> None:
        self._blocks: list[bytes] = []

    def writable(self) -> bool:
        """Take bytes, at the end only."""
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
