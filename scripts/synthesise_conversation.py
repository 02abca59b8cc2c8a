"""Speak the emulator's two-party conversation with espeak-ng.

    python scripts/synthesise_conversation.py [--out emulator/audio]

Writes one FLAC file per party (24 kHz, 16-bit, mono), both as long as the whole
conversation and aligned in time: whoever does not speak is digital silence. The files
are kept in the repository, so this runs only when the text below changes. It needs
espeak-ng on PATH.
"""

import argparse
import io
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import soundfile
import soxr

RATE = 24_000
PEAK = 0.5
"""Highest sample of a line, of full scale: two voices together never clip."""

VOICES = {
    "caller": ("en-us+m3", 152, 42),
    "agent": ("en-gb+f2", 160, 55),
}
"""espeak-ng voice, words per minute, pitch."""

Samples = npt.NDArray[np.float32]


class Turn(NamedTuple):
    """One line, and the silence in seconds before the next one begins."""

    party: str
    text: str
    pause: float


CONVERSATION = (
    Turn("agent", "Parcel operations, good morning. How can I help?", 0.7),
    Turn("caller", "Hello. I am calling about a parcel that never arrived.", 0.5),
    Turn("agent", "I am sorry to hear that. What is your order number?", 1.4),
    Turn("caller", "It is seven, four, one, nine, two.", 0.4),
    Turn("agent", "Thank you. One moment, I am looking it up.", 2.2),
    Turn("agent", "I can see it left our depot on Tuesday at six fifteen.", 0.6),
    Turn("caller", "The tracking page says delivered, but nobody rang.", 0.8),
    Turn("agent", "The driver noted a safe place: the green shed.", 0.9),
    Turn("caller", "We have no shed. It must be at number twelve, next door.", 0.7),
    Turn("agent", "That happens. I will ask the driver to collect it today.", 0.5),
    Turn("caller", "Today would be good. I am at home until five.", 0.6),
    Turn("agent", "Then expect it before four. You will get a message.", 1.1),
    Turn("caller", "Wonderful. Thank you for your help.", 0.4),
    Turn("agent", "You are welcome. Goodbye.", 0.3),
    Turn("caller", "Goodbye.", 1.5),
)


def speak(turn: Turn) -> Samples:
    """Return one line as float samples at 24 kHz, without silence around it."""
    voice, speed, pitch = VOICES[turn.party]
    wave = subprocess.run(  # noqa: S603 - fixed arguments, our own text
        ["espeak-ng", "-v", voice, "-s", str(speed), "-p", str(pitch), "--stdout"],  # noqa: S607 - the one on PATH is meant
        input=turn.text.encode(),
        stdout=subprocess.PIPE,
        check=True,
    ).stdout
    samples, rate = soundfile.read(io.BytesIO(wave), dtype="float32")
    heard = np.flatnonzero(np.abs(samples) > 0.002)
    spoken: Samples = soxr.resample(samples[heard[0] : heard[-1] + 1], rate, RATE)
    return spoken * np.float32(PEAK / np.abs(spoken).max())


def converse() -> dict[str, Samples]:
    """Return each party's samples on the common timeline."""
    spoken: dict[str, list[Samples]] = {party: [] for party in VOICES}
    for turn in CONVERSATION:
        line = speak(turn)
        pause = np.zeros(round(turn.pause * RATE), dtype=np.float32)
        for party, pieces in spoken.items():
            pieces += [line if party == turn.party else np.zeros_like(line), pause]
    return {party: np.concatenate(pieces) for party, pieces in spoken.items()}


def main() -> int:
    """Write `1-caller.flac` and `2-agent.flac`."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("emulator/audio"))
    out: Path = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)
    for number, (party, samples) in enumerate(converse().items(), start=1):
        path = out / f"{number}-{party}.flac"
        soundfile.write(path, samples, RATE, subtype="PCM_16")
        seconds, size = len(samples) / RATE, path.stat().st_size
        sys.stdout.write(f"{path}: {seconds:.1f} s, {size} bytes\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
