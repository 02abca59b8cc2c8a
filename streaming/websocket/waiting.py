"""Messages that wait for the application."""

from collections import deque
from typing import Final

# So many messages, or bytes of text and binary, may wait before reading pauses.
MOST_WAITING: Final = 32
MOST_BYTES: Final = 256 * 1024


class Waiting:
    """A queue that knows when it is long. It takes what it is given all the same."""

    def __init__(self) -> None:
        self._messages: deque[str | bytes] = deque()
        self._size = 0

    def __bool__(self) -> bool:
        return bool(self._messages)

    @property
    def is_long(self) -> bool:
        """Whether nothing more should be read for now."""
        return len(self._messages) >= MOST_WAITING or self._size >= MOST_BYTES

    def put(self, message: str | bytes) -> None:
        """Add a message."""
        self._messages.append(message)
        self._size += len(message)

    def take(self) -> str | bytes:
        """Remove and return the message that waited longest."""
        message = self._messages.popleft()
        self._size -= len(message)
        return message

    def clear(self) -> None:
        """Forget them all."""
        self._messages.clear()
        self._size = 0
