"""Audio that waits to be sent: pieces as they came, never copied. No I/O."""

from collections import deque
from itertools import chain
from typing import Final

# Shorter pieces are gathered: each costs more than what is in it.
SHORT_BYTES: Final = 4_096
GATHERED_BYTES: Final = 65_536


class Pieces:
    """Bytes to which is added behind and from which is taken in front.

    A long piece stays the very object that came: one prompt that waits in hundreds of
    calls is there once.
    """

    def __init__(self) -> None:
        self._pieces: deque[memoryview] = deque()
        self._tail = bytearray()
        self._size = 0

    def __len__(self) -> int:
        return self._size

    def add(self, pcm: bytes | memoryview) -> None:
        """Put something behind what waits."""
        self._size += len(pcm)
        if len(pcm) < SHORT_BYTES:
            self._tail += pcm
        if len(pcm) >= SHORT_BYTES or len(self._tail) >= GATHERED_BYTES:
            self._gather()
        if len(pcm) >= SHORT_BYTES:
            self._pieces.append(memoryview(pcm))

    def _gather(self) -> None:
        if self._tail:
            self._pieces.append(memoryview(bytes(self._tail)))
            self._tail = bytearray()

    def put_back(self, pcm: bytes) -> None:
        """Put something before what waits."""
        self._size += len(pcm)
        self._pieces.appendleft(memoryview(pcm))

    def first(self, size: int) -> bytes:
        """Return the first so many bytes, or all that there are."""
        if not self._pieces:
            return bytes(memoryview(self._tail)[:size])
        found = bytearray()
        for piece in chain(self._pieces, [memoryview(self._tail)]):
            found += piece[: size - len(found)]
            if len(found) == size:
                break
        return bytes(found)

    def drop(self, size: int) -> None:
        """Take the first so many bytes away."""
        size = min(size, self._size)
        self._size -= size
        while size and self._pieces:
            piece = self._pieces.popleft()
            if len(piece) > size:
                self._pieces.appendleft(piece[size:])
                return
            size -= len(piece)
        del self._tail[:size]

    def clear(self) -> None:
        """Forget all of it."""
        self.drop(self._size)
