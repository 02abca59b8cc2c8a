"""Hypothesis strategies for the media streaming wire.

Frames are generated the way ACS and its imitators write them; `mutated` then breaks
them the way networks and bugs do.
"""

import base64
import json
from datetime import UTC, datetime
from typing import Any

from hypothesis import strategies as st


def pcm(max_samples: int = 400) -> st.SearchStrategy[bytes]:
    """Whole 16-bit samples, from none up to a little more than a packet."""
    return st.integers(0, max_samples).flatmap(
        lambda samples: st.binary(min_size=2 * samples, max_size=2 * samples)
    )


def raw_ids() -> st.SearchStrategy[str]:
    """Raw ids of every documented prefix, and of none."""
    prefixes = ["4:+", "8:acs:", "8:orgid:", "28:", "8:spool:", ""]
    rest = st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=1)
    return st.builds(
        lambda prefix, text: prefix + text[:200], st.sampled_from(prefixes), rest
    )


def moments() -> st.SearchStrategy[datetime]:
    """Whole seconds in UTC that ACS could send."""
    year_2000, year_2100 = 946_684_800, 4_102_444_800
    return st.integers(year_2000, year_2100).map(
        lambda seconds: datetime.fromtimestamp(seconds, UTC)
    )


@st.composite
def written_moments(draw: st.DrawFn) -> tuple[str, datetime]:
    """A timestamp with 0 to 9 digits of fraction, and the moment it must read as."""
    whole = draw(moments())
    digits = draw(st.text("0123456789", max_size=9))
    suffix = draw(st.sampled_from(["Z", "+00:00"]))
    fraction = f".{digits}" if digits else ""
    text = f"{whole:%Y-%m-%dT%H:%M:%S}{fraction}{suffix}"
    return text, whole.replace(microsecond=int(f"{digits:0<6}"[:6]))


def json_values() -> st.SearchStrategy[Any]:
    """Any JSON value, with numbers no machine word holds and lone surrogates."""
    texts = st.text(st.characters(exclude_categories=[]), max_size=20)
    scalars = (
        st.none()
        | st.booleans()
        | st.integers(-(10**30), 10**30)
        | st.floats()
        | texts
        | st.sampled_from(["AudioData", "audioData", "data", "AAA=", "2024-01-01"])
    )
    return st.recursive(
        scalars,
        lambda inner: (
            st.lists(inner, max_size=5) | st.dictionaries(texts, inner, max_size=5)
        ),
        max_leaves=20,
    )


def audio_payloads() -> st.SearchStrategy[dict[str, Any]]:
    """Payloads of AudioData as any SDK spells them; only `data` is always there."""
    return st.fixed_dictionaries(
        {"data": pcm(40).map(lambda b: base64.b64encode(b).decode())},
        optional={
            "timestamp": written_moments().map(lambda written: written[0]),
            "participantRawID": raw_ids() | st.none() | st.just(""),
            "participantRawId": raw_ids(),
            "silent": st.booleans() | st.none(),
            "Silent": st.booleans(),
            "mark": st.just({"id": "m"}),
        },
    )


def _metadata_payloads() -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(
        {
            "subscriptionId": st.uuids().map(str),
            "encoding": st.sampled_from(["PCM", "Pcm", "pcm"]),
            "sampleRate": st.sampled_from([16_000, 24_000]),
            "channels": st.just(1),
        },
        optional={"length": st.sampled_from([640, 960, None])},
    )


def _dtmf_payloads() -> st.SearchStrategy[dict[str, Any]]:
    tone = st.sampled_from(["1", "*", "#", "a", "D", "pound", "Asterisk", "seven"])
    return st.fixed_dictionaries({"data": tone}) | st.fixed_dictionaries({"tone": tone})


def _transcription_payloads() -> st.SearchStrategy[dict[str, Any]]:
    ticks = st.integers(0, 2**63 - 1)
    word = st.fixed_dictionaries(
        {"text": st.text(max_size=10), "offset": ticks, "duration": ticks}
    )
    return st.fixed_dictionaries(
        {"text": st.text(max_size=40), "offset": ticks, "duration": ticks},
        optional={
            "words": st.lists(word, max_size=3) | st.none(),
            "confidence": st.floats(0, 1) | st.none(),
            "format": st.sampled_from(["display", "Display"]),
            "resultStatus": st.sampled_from(["Final", "final", "Intermediate"]),
            "participantRawID": raw_ids(),
        },
    )


def _enveloped(
    kind: str, payloads: st.SearchStrategy[dict[str, Any]]
) -> st.SearchStrategy[str]:
    """Frames of one kind: with or without `kind`, in camel or in Pascal case."""
    camel = kind[0].lower() + kind[1:]
    return st.builds(
        lambda payload, names: json.dumps(
            dict.fromkeys(names[:-1], kind) | {names[-1]: payload}
        ),
        payloads,
        st.sampled_from([("kind", camel), ("Kind", kind), (camel,)]),
    )


def audio_frames() -> st.SearchStrategy[str]:
    """Valid AudioData frames."""
    return _enveloped("AudioData", audio_payloads())


def frames() -> st.SearchStrategy[str]:
    """Valid frames of every kind we read."""
    return st.one_of(
        audio_frames(),
        _enveloped("AudioMetadata", _metadata_payloads()),
        _enveloped("DtmfData", _dtmf_payloads()),
        _enveloped("TranscriptionData", _transcription_payloads()),
    )


@st.composite
def mutated(draw: st.DrawFn) -> str:
    """A valid frame with a piece of it cut out, doubled, or replaced by any text."""
    frame = draw(frames())
    start = draw(st.integers(0, len(frame)))
    end = draw(st.integers(start, min(len(frame), start + 20)))
    piece = draw(
        st.text(st.characters(exclude_categories=[]), max_size=5)
        | st.just(frame[start:end] * 2)
        | st.sampled_from(["null", "[]", "{}", "1e999", '"', r"\ud800", r"\u0000"])
    )
    return frame[:start] + piece + frame[end:]
