"""From an upload to audio that is ready to be stored."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

import msgspec
from django.conf import settings
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from calls.prompts.decoding import RATES, Faulty, Prepared
from calls.prompts.reading import Fault

# The decoder's own limit is of processor time; a machine may be busy.
PATIENCE_SECONDS: Final = 120
# What a program needs to start. Keys and passwords are not among it.
ENVIRONMENT: Final = ("PATH", "LANG", "LC_ALL", "TMPDIR", "LD_LIBRARY_PATH")

# Texts for translators; they are looked up when they are said.
FAULTS: Final = {
    Fault.EMPTY: gettext_noop("There is no audio in the file. Export it again."),
    Fault.NOT_AUDIO: gettext_noop("This is no audio file. Send WAV, FLAC, MP3 or Ogg."),
    Fault.FORMAT: gettext_noop(
        "This kind of audio file is not supported. Save it as WAV, FLAC, MP3 or Ogg."
    ),
    Fault.SHAPE: gettext_noop(
        "The audio has a sample rate or a number of channels that cannot be used. Save"
        " it with 8 to 192 kHz and at most 8 channels."
    ),
    Fault.TOO_LONG: gettext_noop(
        "The audio is longer than %(most)g seconds. Shorten it."
    ),
    Fault.CORRUPT: gettext_noop(
        "The file is damaged or ends too early. Export it again and send it whole."
    ),
    Fault.SILENT: gettext_noop(
        "Nothing can be heard in the file: it is silent throughout. Check what was"
        " recorded."
    ),
}

Answer: TypeAlias = Prepared | Faulty
_answer: Final = msgspec.json.Decoder(Answer)


class PromptRefused(Exception):  # noqa: N818 the user's to read, not an error
    """A file that cannot be a prompt; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class PreparedPrompt:
    """A prompt's figures, and its FLACs by rate."""

    figures: Prepared
    flacs: dict[int, bytes]


def prompt_prepare(chunks: Iterable[bytes]) -> PreparedPrompt:
    """Make a prompt's audio of a file that was sent. Raises `PromptRefused`.

    No more of it is read than a prompt may have.
    """
    with tempfile.TemporaryDirectory(prefix="prompt-") as name:
        folder = Path(name)
        source = folder / "source"
        _write(source, chunks)
        figures = _decode(source, folder)
        flacs = {rate: (folder / f"{rate}.flac").read_bytes() for rate in RATES}
    return PreparedPrompt(figures, flacs)


def _write(source: Path, chunks: Iterable[bytes]) -> None:
    left = settings.PROMPT_MAX_MB << 20
    with source.open("wb") as file:
        for chunk in chunks:
            left -= len(chunk)
            if left < 0:
                raise PromptRefused(too_big_words())
            file.write(chunk)


def _decode(source: Path, folder: Path) -> Prepared:
    environment = {name: os.environ[name] for name in ENVIRONMENT if name in os.environ}
    try:
        ended = subprocess.run(  # noqa: S603 our own module
            [
                *(sys.executable, "-m", "calls.prompts.decoding"),
                *(str(source), str(folder), str(settings.PROMPT_MAX_SECONDS)),
            ],
            cwd=settings.BASE_DIR,
            # Threads of the linear algebra library would take memory and help nothing.
            env=environment | {"OPENBLAS_NUM_THREADS": "1"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=PATIENCE_SECONDS,
            check=False,
        )
        answer: Answer = _answer.decode(ended.stdout)
    except (subprocess.TimeoutExpired, msgspec.DecodeError) as exc:
        # It took too much of something, or its decoder broke.
        raise PromptRefused(fault_words(Fault.CORRUPT)) from exc
    if isinstance(answer, Faulty):
        raise PromptRefused(fault_words(answer.fault))
    return answer


def too_big_words() -> str:
    """Return what is said of a file with too many bytes."""
    return _(
        "The file is larger than %(most)s MB. Send a shorter or compressed one."
    ) % {"most": settings.PROMPT_MAX_MB}


def fault_words(fault: Fault) -> str:
    """Return why a file cannot be a prompt, and what to do, for a screen."""
    return _(FAULTS[fault]) % {"most": settings.PROMPT_MAX_SECONDS}
