"""A prompt's waveform as a picture that needs no script."""

import logging

import numpy as np
import soundfile
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from calls.audio.pcm import FULL_SCALE
from calls.audio.peaks import PeakBuilder
from calls.models import Prompt
from calls.storage import recording_open

WIDTH, HEIGHT = 600, 80

log = logging.getLogger(__name__)


def waveform(prompt: Prompt) -> SafeString:
    """Return an SVG of a prompt's audio; empty if storage does not give it."""
    try:
        with recording_open(prompt.audio_16k) as file:
            samples, rate = soundfile.read(file, dtype="int16")
    except Exception as exc:  # noqa: BLE001 every storage has errors of its own
        log.warning("prompt %s: no waveform: %s", prompt.pk, type(exc).__name__)
        return SafeString("")
    builder = PeakBuilder(rate)
    builder.add(samples)
    pairs = builder.finish().resample(WIDTH).pairs.astype(np.float64) / FULL_SCALE
    label = _("Waveform of %(name)s") % {"name": prompt.name}
    return format_html(
        '<svg class="prompt-wave" viewBox="0 0 {} {}" preserveAspectRatio="none"'
        ' role="img" aria-label="{}"><path d="{}"></path></svg>',
        WIDTH,
        HEIGHT,
        label,
        _path(pairs),
    )


def _path(pairs: "np.ndarray[tuple[int, ...], np.dtype[np.float64]]") -> str:
    """Return one vertical stroke for each pixel, the whole width filled."""
    middle, step = HEIGHT / 2, WIDTH / max(len(pairs), 1)
    return "".join(
        f"M{number * step + step / 2:.1f} {middle - high * middle:.1f}"
        f"V{middle - low * middle + 0.5:.1f}"
        for number, (low, high) in enumerate(pairs)
    )
