"""A transcript as files: WebVTT, SubRip, plain text, JSON. See docs/transcripts.md."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _

from calls import formats
from calls.downloads.naming import call_name
from calls.history.entries import utc
from calls.history.export import call_json
from calls.instants import instant
from calls.models import TranscriptSegment
from calls.transcripts.reading import Transcript

SCHEMA = 1
# Whole numbers beyond are not exact in JavaScript, and in whatever reads like it.
EXACT = 2**53
# Of a cue whose length was not told: nobody could read it otherwise.
SHORTEST = 1.0


def vtt_of(transcript: Transcript) -> str:
    """Return WebVTT (https://www.w3.org/TR/webvtt1/), each cue with its voice.

    `&`, `<` and `>` are escaped, so that no text is markup and none is "-->".
    """
    cues = [
        f"{_clock(first, '.')} --> {_clock(last, '.')}\n"
        f"<v {_vtt(transcript.who(one))}>{_vtt(_text(one))}\n"
        for one, first, last in _cues(transcript)
    ]
    return "\n".join(["WEBVTT\n", *cues])


def srt_of(transcript: Transcript) -> str:
    """Return SubRip. It has no escapes: an arrow in a text becomes another one."""
    cues = [
        f"{number}\n{_clock(first, ',')} --> {_clock(last, ',')}\n"
        f"{_srt(f'{transcript.who(one)}: {_text(one)}')}\n"
        for number, (one, first, last) in enumerate(_cues(transcript), 1)
    ]
    return "\n".join(cues)


def txt_of(transcript: Transcript) -> str:
    """Return what is read: a line for each piece, with when and who."""
    lines = [
        f"[{formats.clock(first)}] {_line(transcript.who(one))}: {_text(one)}\n"
        for one, first, _last in _cues(transcript)
    ]
    return "".join(lines)


def json_of(transcript: Transcript) -> str:
    """Return everything that is known of a transcript."""
    origin_us = transcript.origin_us
    document = {
        "schema": SCHEMA,
        "exported_at": utc(timezone.now()),
        "call": call_json(transcript.call),
        "clock": {
            "origin": None if origin_us is None else _moment(origin_us),
            "origin_us": None if origin_us is None else _exact(origin_us),
        },
        "segments": [_segment(transcript, one) for one in transcript.segments],
    }
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


FORMS: dict[str, tuple[str, Callable[[Transcript], str]]] = {
    "vtt": ("text/vtt; charset=utf-8", vtt_of),
    "srt": ("application/x-subrip; charset=utf-8", srt_of),
    "txt": ("text/plain; charset=utf-8", txt_of),
    "json": ("application/json", json_of),
}


def file_name(transcript: Transcript, form: str) -> str:
    """Return a file's name: by time and call, without a number."""
    return f"{call_name(transcript.call)}_transcript.{form}"


def files_of(transcript: Transcript) -> dict[str, str]:
    """Return name and text of a transcript's files in every form; none without it."""
    if not transcript.segments:
        return {}
    return {
        file_name(transcript, form): made(transcript)
        for form, (_kind, made) in FORMS.items()
    }


def _cues(
    transcript: Transcript,
) -> Iterator[tuple[TranscriptSegment, float, float]]:
    for one in transcript.segments:
        first = transcript.seconds(one)
        yield one, first, first + (one.duration_us / 1e6 or SHORTEST)


def _segment(transcript: Transcript, one: TranscriptSegment) -> dict[str, Any]:
    return {
        "id": str(one.pk),
        "raw_id": one.raw_id,
        "name": transcript.who(one),
        "source": one.source,
        "start": _moment(one.start_us),
        "start_us": _exact(one.start_us),
        "offset_us": _exact(one.start_us - transcript.zero_us),
        "duration_us": _exact(one.duration_us),
        "text": one.text,
        "words": [
            {"text": text, "offset_us": _exact(start), "duration_us": _exact(long)}
            for text, start, long in one.words
        ],
        "confidence": one.confidence,
        "sentiment": one.sentiment,
        "language": one.language,
        "is_cut": one.is_cut,
        "told": {
            name: _exact(value) if isinstance(value, int) else value
            for name, value in one.raw.items()
        },
    }


def _exact(number: int) -> int | str:
    return number if abs(number) <= EXACT else str(number)


def _moment(at_us: int) -> str | None:
    try:
        return utc(instant(at_us))
    except OverflowError:
        # No year has such a number; the number itself is there.
        return None


def _text(one: TranscriptSegment) -> str:
    text = _line(one.text)
    return f"{text} ({_('interrupted')})" if one.is_cut else text


def _line(text: str) -> str:
    # An empty line would end a cue.
    return " ".join(text.split())


def _srt(text: str) -> str:
    return _line(text).replace("-->", "→")


def _vtt(text: str) -> str:
    line = _line(text)
    return line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _clock(seconds: float, point: str) -> str:
    whole, ms = divmod(round(seconds * 1000), 1000)
    minutes, second = divmod(whole, 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours:02}:{minute:02}:{second:02}{point}{ms:03}"
