"""WAV and FLAC of any length, encoded while they are sent."""

import struct
from collections.abc import Iterable, Iterator

import numpy as np
import numpy.typing as npt
import soundfile

WAV_HEADER_BYTES = 44
WAV_MOST = 0xFFFF_FFFF
# RFC 9639 §8.2: behind "fLaC" and a block's header, the lower 36 of these 64 bits of
# STREAMINFO are the number of samples of a channel.
TOTAL_AT = 18
STREAMINFO_END = 42

Frames = npt.NDArray[np.int16]


def wav_header(samples: int, rate: int, channels: int = 1) -> bytes:
    """Return the 44 bytes that begin a 16-bit PCM WAV of `samples` frames."""
    frame = 2 * channels
    size = frame * samples
    riff = struct.pack("<4sI4s", b"RIFF", 36 + size, b"WAVE")
    form = struct.pack(
        "<4sIHHIIHH", b"fmt ", 16, 1, channels, rate, frame * rate, frame, 16
    )
    return riff + form + struct.pack("<4sI", b"data", size)


def wav_size(samples: int, channels: int = 1) -> int:
    """Return how long that file is; above `WAV_MOST` there is no such WAV."""
    return WAV_HEADER_BYTES + 2 * channels * samples


def wav_blocks(
    frames: Iterable[Frames], samples: int, rate: int, channels: int = 1
) -> Iterator[bytes]:
    """Yield a WAV: header, then PCM. `frames` must hold `samples` frames."""
    yield wav_header(samples, rate, channels)
    for block in frames:
        yield block.astype("<i2", copy=False).tobytes()


def flac_blocks(
    frames: Iterable[Frames], samples: int, rate: int, channels: int = 1
) -> Iterator[bytes]:
    """Yield a FLAC of `samples` frames.

    Its header has the length but no checksum of the PCM: that is known only when the
    header is long gone.
    """
    outlet = _Outlet(samples)
    with soundfile.SoundFile(
        outlet, "w", rate, channels, subtype="PCM_16", format="FLAC"
    ) as sound:
        for block in frames:
            sound.write(block)
            yield from outlet.taken()
    yield from outlet.taken()


class _Outlet:
    """A file that only grows. What the encoder writes back into it comes too late."""

    def __init__(self, samples: int) -> None:
        self._samples = samples
        self._place = 0
        self._end = 0
        self._kept = bytearray()

    def write(self, content: bytes) -> int:
        """Keep what is appended until it is taken."""
        length = len(content)
        if self._place == self._end:
            self._kept += content
            self._end += length
        self._place += length
        return length

    def seek(self, offset: int, whence: int = 0) -> int:
        """Go where the encoder wants to write next."""
        start = (0, self._place, self._end)[whence]
        self._place = start + offset
        return self._place

    def tell(self) -> int:
        """Return where the encoder writes."""
        return self._place

    def read(self, size: int = -1) -> bytes:
        """Return nothing: the encoder asks for a reader and reads nothing."""
        return b""

    def taken(self) -> Iterator[bytes]:
        """Yield what was written since, and forget it."""
        kept, self._kept = self._kept, bytearray()
        if not kept:
            return
        if self._end == len(kept):
            _put_total(kept, self._samples)
        yield bytes(kept)


def _put_total(head: bytearray, samples: int) -> None:
    if len(head) < STREAMINFO_END:
        raise AssertionError("the encoder writes its header at once")
    [told] = struct.unpack_from(">Q", head, TOTAL_AT)
    total = samples if samples < 1 << 36 else 0
    struct.pack_into(">Q", head, TOTAL_AT, told >> 36 << 36 | total)
