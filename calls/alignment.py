"""Audio of several tracks brought to one clock and one rate, block by block."""

from collections.abc import Iterator
from contextlib import suppress

import numpy as np
import numpy.typing as npt
import soxr

from calls.audio.pcm import Samples, mix

BLOCK = 1 << 16  # samples
NOTHING = np.zeros(0, dtype=np.int16)


def aligned(
    blocks: Iterator[Samples], *, lead: int, source: int, rate: int
) -> Iterator[Samples]:
    """Yield `blocks`, of `source` Hz, at `rate`, after `lead` samples of silence."""
    while lead > 0:
        yield np.zeros(min(lead, BLOCK), dtype=np.int16)
        lead -= BLOCK
    if source == rate:
        yield from blocks
        return
    stream = soxr.ResampleStream(source, rate, 1, dtype="int16")
    for block in blocks:
        yield stream.resample_chunk(block)
    yield stream.resample_chunk(NOTHING, last=True)


def summed(sources: list[Iterator[Samples]]) -> Iterator[Samples]:
    """Yield the saturating sum of the sources, whose blocks may differ in length."""
    heads = [NOTHING for _ in sources]
    while sources:
        for index in reversed(range(len(sources))):
            while not len(heads[index]):
                with suppress(StopIteration):
                    heads[index] = next(sources[index])
                    continue
                del sources[index], heads[index]
                break
        if not sources:
            return
        length = min(len(head) for head in heads)
        yield mix([head[:length] for head in heads])
        heads = [head[length:] for head in heads]


class Cutter:
    """Samples in portions of the length one asks for; silence after their end."""

    def __init__(self, blocks: Iterator[Samples]) -> None:
        self._blocks = blocks
        self._head = NOTHING

    def take(self, samples: int) -> Samples:
        """Return exactly `samples` samples."""
        taken = np.zeros(samples, dtype=np.int16)
        filled = 0
        while filled < samples:
            if not len(self._head):
                head = next(self._blocks, None)
                if head is None:
                    break
                self._head = head
            part = self._head[: samples - filled]
            taken[filled : filled + len(part)] = part
            self._head = self._head[len(part) :]
            filled += len(part)
        return taken


def interleaved(
    left: Iterator[Samples], right: Iterator[Samples], samples: int
) -> Iterator[npt.NDArray[np.int16]]:
    """Yield `samples` frames of two channels; the shorter one ends in silence."""
    channels = Cutter(left), Cutter(right)
    while samples > 0:
        length = min(samples, BLOCK)
        yield np.column_stack([channel.take(length) for channel in channels])
        samples -= length
