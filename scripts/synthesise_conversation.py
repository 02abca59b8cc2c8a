"""Speak the emulator's two-party conversation with espeak-ng.

    python scripts/synthesise_conversation.py [--out emulator/audio] [--times-only]

Writes one FLAC file per party (24 kHz, 16-bit, mono), both as long as the whole
conversation and aligned in time: whoever does not speak is digital silence. The files
are kept in the repository, so this runs only when the text below changes. It needs
espeak-ng on PATH.

Beside each it writes what is said in it, and when, as JSON: lines with their words.
Lines begin and end with their samples. Words are timed by the letters they have, within
the sounds of their line; espeak-ng does not tell. `--times-only` measures files that
are there.
"""

import argparse
import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import soundfile
import soxr

RATE = 24_000
PEAK = 0.5
"""Highest sample of a line, of full scale: two voices together never clip."""

SHORT_PAUSE = 0.1
ROUNDING = 0.03
EDGE = 0.02

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


def sounds(samples: Samples) -> list[tuple[float, float]]:
    """Return where there is sound, as seconds from and to, without short pauses."""
    heard = np.flatnonzero(samples)
    breaks = np.flatnonzero(np.diff(heard) > SHORT_PAUSE * RATE)
    first = [heard[0], *heard[breaks + 1]]
    last = [*heard[breaks], heard[-1]]
    return [(a / RATE, (b + 1) / RATE) for a, b in zip(first, last, strict=True)]


def lines(conversation: dict[str, Samples]) -> dict[str, list[dict[str, Any]]]:
    """Return what each party says and when: a turn begins a pause after the last."""
    waiting = {party: sounds(samples) for party, samples in conversation.items()}
    said: dict[str, list[dict[str, Any]]] = {party: [] for party in conversation}
    for number, turn in enumerate(CONVERSATION):
        mine = waiting[turn.party]
        spoken = [mine.pop(0)]
        following = CONVERSATION[number + 1 : number + 2]
        while mine and not _is_over(turn, spoken, following, waiting):
            spoken.append(mine.pop(0))
        said[turn.party].append(_line(turn.text, spoken))
    return said


def _is_over(
    turn: Turn,
    spoken: list[tuple[float, float]],
    following: tuple[Turn, ...],
    waiting: dict[str, list[tuple[float, float]]],
) -> bool:
    if not following:
        return False
    expected = spoken[-1][1] + turn.pause
    return abs(waiting[following[0].party][0][0] - expected) < ROUNDING


def _line(text: str, spoken: list[tuple[float, float]]) -> dict[str, Any]:
    """Return a line; its words share its sounds by their letters."""
    words, total = text.split(), sum(end - start for start, end in spoken)
    weights = [sum(map(str.isalpha, word)) + 1 for word in words]
    timed, passed = [], 0.0
    for word, weight in zip(words, weights, strict=True):
        start, passed = passed, passed + total * weight / sum(weights)
        begun, ended = _moment(spoken, start, 0), _moment(spoken, passed, 1)
        shown = word.strip(".,?!:").lower()
        timed.append([shown, round(begun, 3), round(ended - begun, 3)])
    at, end = spoken[0][0], spoken[-1][1]
    return {
        "at": round(at, 3),
        "seconds": round(end - at, 3),
        "text": text,
        "words": timed,
    }


def _moment(spoken: list[tuple[float, float]], passed: float, side: int) -> float:
    """Return when so many seconds of sound have passed; `side` 1: at their end."""
    for start, end in spoken:
        length = end - start
        if passed < length - EDGE or (side and passed <= length + EDGE):
            return start + max(passed, 0.0)
        passed -= length
    return spoken[-1][1]


def main() -> int:
    """Write `1-caller.flac` and `2-agent.flac`, and what is said in them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("emulator/audio"))
    parser.add_argument("--times-only", action="store_true")
    given = parser.parse_args()
    out: Path = given.out
    out.mkdir(parents=True, exist_ok=True)
    paths = {
        party: out / f"{number}-{party}.flac"
        for number, party in enumerate(VOICES, start=1)
    }
    if given.times_only:
        conversation = {
            party: soundfile.read(path, dtype="float32")[0]
            for party, path in paths.items()
        }
    else:
        conversation = converse()
        for party, samples in conversation.items():
            soundfile.write(paths[party], samples, RATE, subtype="PCM_16")
    for party, said in lines(conversation).items():
        path = paths[party].with_suffix(".json")
        path.write_text(json.dumps({"lines": said}, indent=1) + "\n")
        seconds = len(conversation[party]) / RATE
        sys.stdout.write(f"{paths[party]}: {seconds:.1f} s, {len(said)} lines\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
