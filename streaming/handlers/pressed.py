"""Which keys of one call are news to its handler."""

from collections import deque
from uuid import uuid4

from calls.tones.pairing import Press, fit

# Of each teller, so many keys that the other has not told yet.
MOST = 100


class PressedKeys:
    """Says of each key that is told whether the other teller told it before.

    The rule is that of `calls.tones.pairing`, applied as the news come: what was handed
    over cannot be taken back.
    """

    def __init__(self) -> None:
        self._sockets: deque[Press] = deque(maxlen=MOST)
        self._callbacks: deque[Press] = deque(maxlen=MOST)

    def from_socket(self, key: str, raw_id: str, at_us: int) -> bool:
        """Take a key of the media socket; say whether it is news."""
        press = Press(uuid4(), raw_id, key, at_us)
        for told in self._callbacks:
            if fit(press, told) is not None:
                self._callbacks.remove(told)
                return False
        self._sockets.append(press)
        return True

    def from_callback(self, key: str, raw_id: str, at_us: int) -> bool:
        """Take a key of a callback; say whether it is news."""
        press = Press(uuid4(), raw_id, key, at_us)
        for told in self._sockets:
            if fit(told, press) is not None:
                self._sockets.remove(told)
                return False
        self._callbacks.append(press)
        return True
