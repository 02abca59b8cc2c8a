"""Which calls mask the keys that are pressed, and callbacks without them.

Frames of the media socket are masked by `streaming.protocol`, before they are
journaled; callbacks here, before they are stored.
"""

from dataclasses import replace
from typing import Any

from django.conf import settings

from calls.envelopes import Event, part_of
from calls.models import StreamingProfile
from streaming.protocol import MASK

# Members whose names say so hold keys, whatever the callback: `tone`, `tones`,
# `toneInfo`, `dtmfResult`.
_SIGNS = ("tone", "dtmf", "digit")
_KEPT = frozenset({"sequenceid"})


def masks_tones(profile: StreamingProfile | None) -> bool:
    """Say whether a call's keys are masked: by its profile.

    If none is known (it was deleted, the database lost), they are: a key that was
    masked in vain can be pressed again. Not so where ingest takes calls from anybody,
    in development.
    """
    if profile is None:
        return settings.MEDIA_AUTH != "off"
    return profile.masks_tones


def without_keys(body: Any) -> Any:
    """Return a callback's body with `MASK` for every key in it."""
    return _masked(body)


def event_masked(event: Event) -> Event:
    """Return a callback without keys. One that has none is returned as it is."""
    body: dict[str, Any] = _masked(event.body)
    if body == event.body:
        return event
    masked = replace(event, body=body, data=part_of(body, "data"))
    # Made of the content, it would tell the key to whoever tries all twelve.
    return masked.named_anew() if event.id.startswith("sha256:") else masked


def _masked(value: Any, *, is_key: bool = False) -> Any:
    if isinstance(value, dict):
        return {
            name: _masked(each, is_key=_holds_keys(name, inside=is_key))
            for name, each in value.items()
        }
    if isinstance(value, list):
        return [_masked(each, is_key=is_key) for each in value]
    return MASK if is_key and value is not None else value


def _holds_keys(name: str, *, inside: bool) -> bool:
    name = name.lower()
    return name not in _KEPT and (inside or any(sign in name for sign in _SIGNS))
