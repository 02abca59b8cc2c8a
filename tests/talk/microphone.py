"""A microphone that hears a file: bursts like syllables, each pause another length."""

from pathlib import Path

import numpy as np
import soundfile

RATE = 48_000
BURST_SECONDS = 0.12
# Pauses tell the bursts apart: no two of a round are the same.
PAUSES = (0.38, 0.62, 0.46, 0.78, 0.54, 0.7)


def flags(path: Path, tone_hz: float = 0.0) -> list[str]:
    """Write the file; return what Chromium needs to hear it, in a loop.

    Each burst is like a voice, or one tone if `tone_hz` is given.
    """
    rng = np.random.default_rng(5)
    long = round(BURST_SECONDS * RATE)
    at = np.arange(long) / RATE
    rounds = []
    for pause in PAUSES:
        # A gliding tone with harmonics: noise suppression takes it for a voice.
        hz = rng.uniform(140, 220) * (1 + at) if not tone_hz else tone_hz + 0 * at
        turn = 2 * np.pi * np.cumsum(hz) / RATE
        voice = sum(np.sin(n * turn) / n for n in range(1, 2 if tone_hz else 12))
        rounds.append(0.25 * voice * np.hanning(long) ** 0.25)
        rounds.append(np.zeros(round(pause * RATE)))
    soundfile.write(path, np.concatenate(rounds).astype(np.float32), RATE, "PCM_16")
    return [
        "--use-fake-device-for-media-stream",
        f"--use-file-for-fake-audio-capture={path}",
    ]
