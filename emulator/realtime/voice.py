"""The service's voice: a tone per word, the same for the same word each time."""

import zlib
from typing import Final

import numpy as np

RATE: Final = 24_000
WORD_MS: Final = 300
"""How long a word takes, the pause after it included."""
SOUND_MS: Final = 240
LEVEL: Final = 0.25


def tone_hz(word: str) -> int:
    """Return the frequency that stands for a word: 300 to 2,290 Hz in steps of 10."""
    return 300 + zlib.crc32(word.encode()) % 200 * 10


def spoken(text: str) -> bytes:
    """Return a text as 16-bit little-endian PCM at `RATE`."""
    return b"".join(_word(word) for word in text.split())


def _word(word: str) -> bytes:
    count = RATE * SOUND_MS // 1000
    seconds = np.arange(count) / RATE
    # Faded in and out: no clicks, whose many frequencies would be no word.
    fade = np.minimum(1.0, np.minimum(seconds, seconds[::-1]) / 0.01)
    samples = np.sin(2 * np.pi * tone_hz(word) * seconds) * fade * LEVEL * 32767
    pcm = np.rint(samples).astype("<i2").tobytes()
    return pcm.ljust(RATE * WORD_MS // 1000 * 2, b"\0")


def milliseconds(pcm: bytes | bytearray) -> int:
    """Return how long 16-bit PCM at `RATE` is."""
    return len(pcm) * 1000 // (RATE * 2)
