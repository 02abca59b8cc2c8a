"""Sounds to make prompts of, and files that hold them."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import soundfile

from calls.models import Prompt
from calls.prompts.preparing import prompt_prepare
from calls.prompts.storing import prompt_add

Sound = npt.NDArray[np.float32]

AGENT = Path(__file__).parents[2] / "emulator" / "audio" / "2-agent.flac"
FORMATS = {
    "wav": ("WAV", "PCM_16"),
    "wav24": ("WAV", "PCM_24"),
    "float": ("WAV", "FLOAT"),
    "flac": ("FLAC", "PCM_16"),
    "mp3": ("MP3", "MPEG_LAYER_III"),
    "ogg": ("OGG", "VORBIS"),
    "opus": ("OGG", "OPUS"),
}


def voice(seconds: float = 6.0) -> Sound:
    """Return somebody speaking, at 24 kHz, with the pauses that people make."""
    sound, rate = soundfile.read(AGENT, dtype="float32")
    found: Sound = sound[: int(seconds * rate)]
    return found


def tone(
    seconds: float = 1.0, *, rate: int = 48_000, hertz: float = 440, loud: float = 0.1
) -> Sound:
    """Return a sine."""
    times = np.arange(int(seconds * rate)) / rate
    return (loud * np.sin(2 * np.pi * hertz * times)).astype(np.float32)


def file_of(sound: Any, form: str = "wav", rate: int = 48_000) -> bytes:
    """Return a sound as a file; a sound of two columns is stereo."""
    kind, subtype = FORMATS[form]
    buffer = io.BytesIO()
    soundfile.write(buffer, sound, rate, format=kind, subtype=subtype)
    return buffer.getvalue()


def prompt_made(name: str = "Recording notice", seconds: float = 1.0) -> Prompt:
    """Return a prompt of the library whose audio is in storage."""
    prepared = prompt_prepare([file_of(tone(seconds))])
    return prompt_add(Prompt(name=name), prepared, source_name="notice.wav")
