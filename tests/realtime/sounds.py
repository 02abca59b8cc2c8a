"""What callers say in these tests."""

import numpy as np

RATE = 16_000


def speech(milliseconds: int, *, rate: int = RATE, hertz: int = 300) -> bytes:
    """Return a tone: loud enough to be speech for everybody."""
    seconds = np.arange(rate * milliseconds // 1000) / rate
    samples = np.sin(2 * np.pi * hertz * seconds) * 6000
    return bytes(np.rint(samples).astype("<i2").tobytes())
