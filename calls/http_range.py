"""One HTTP range of a file (RFC 9110 §14), which is what media players ask for."""

import re
from dataclasses import dataclass

_ONE_RANGE = re.compile(r"bytes=\s*([0-9]{0,20})\s*-\s*([0-9]{0,20})\s*\Z")


@dataclass(frozen=True, slots=True)
class ByteRange:
    """Bytes `first` to `last`, both included, of a file of `size` bytes."""

    first: int
    last: int
    size: int

    @property
    def length(self) -> int:
        """The number of bytes."""
        return self.last - self.first + 1

    @property
    def content_range(self) -> str:
        """The value of Content-Range."""
        return f"bytes {self.first}-{self.last}/{self.size}"


class UnsatisfiableError(Exception):
    """The range lies outside the file: answer 416."""


def range_of(header: str | None, size: int) -> ByteRange | None:
    """Return the range that a Range header asks for; None is the whole file.

    A header that is malformed, of another unit, or asks for several ranges is ignored,
    as §14.2 allows: the whole file answers it. Raises `UnsatisfiableError`.
    """
    match = _ONE_RANGE.match(header.strip()) if header else None
    if match is None:
        return None
    first, last = match[1], match[2]
    if not first and not last:
        return None
    if not first:
        # The suffix form: the last so many bytes.
        wanted = int(last)
        if wanted == 0 or size == 0:
            raise UnsatisfiableError
        return ByteRange(max(size - wanted, 0), size - 1, size)
    start, end = int(first), int(last) if last else size - 1
    if last and end < start:
        return None
    if start >= size:
        raise UnsatisfiableError
    return ByteRange(start, min(end, size - 1), size)
