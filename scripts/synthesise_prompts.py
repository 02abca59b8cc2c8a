"""Speak the sample prompts of the demo with espeak-ng.

    python -m scripts.synthesise_prompts [--out demo/prompts]

Writes one FLAC file per prompt (24 kHz, 16-bit, mono). The files are kept in the
repository, so this runs only when a text below changes. It needs espeak-ng on PATH.
"""

import argparse
import sys
from pathlib import Path

import numpy as np
import soundfile

from scripts.synthesise_conversation import RATE, Turn, speak

PROMPTS = {
    "recording-notice": "This call is being recorded.",
    "please-hold": "Please hold the line. Somebody will be with you in a moment.",
}
# Nobody's first word is lost while the others' devices wake up.
BEFORE, AFTER = 0.2, 0.3


def main() -> int:
    """Write a file for each prompt."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("demo/prompts"))
    out: Path = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)
    for name, text in PROMPTS.items():
        said = speak(Turn("agent", text, 0))
        before, after = (
            np.zeros(int(RATE * one), np.float32) for one in (BEFORE, AFTER)
        )
        path = out / f"{name}.flac"
        sound = np.concatenate((before, said, after))
        soundfile.write(path, sound, RATE, subtype="PCM_16")
        size = path.stat().st_size
        sys.stdout.write(f"{path}: {len(sound) / RATE:.1f} s, {size} bytes\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
