"""Frames without the keys in them: what is kept of a call whose digits are masked.

The shape of a frame stays, so that a masked journal is read like any other: members
keep their names, who pressed and when stay, every other value becomes `MASK`. That
errs on the safe side: a digit in a member nobody knows is masked too.
"""

from typing import Any

import msgspec

from ._wire import read_timestamp

MASK = "x"
"""Stands for a key that is known to nobody any more. No key has this name."""

# All that is kept of a frame that looks like a tone and is no JSON object.
_NOTHING = '{"kind":"DtmfData","dtmfData":"x"}'
_MAX_NAME = 64
# What frames about keys are called. An escape may hide any of them.
_SIGNS = ("dtmf", "tone", "digit", "\\u")


def mentions_keys(frame: str | bytes) -> bool:
    """Say whether a frame that could not be read may be about a key."""
    text = frame if isinstance(frame, str) else frame.decode("latin-1")
    lowered = text.lower()
    return any(sign in lowered for sign in _SIGNS)


def mask_keys(frame: str | bytes) -> str:
    """Return a frame with every value masked but those that tell who and when.

    What was a DtmfData reads as one again: of the same moment and participant, its
    tone `MASK`.
    """
    try:
        members = msgspec.json.decode(frame)
        if not isinstance(members, dict):
            return _NOTHING
        return msgspec.json.encode(_masked(members)).decode()
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return _NOTHING


def _masked(value: Any) -> Any:
    if isinstance(value, dict):
        return {_name(name): _member(name, each) for name, each in value.items()}
    if isinstance(value, list):
        return [_masked(each) for each in value]
    return None if value is None else MASK


def _name(name: str) -> str:
    return name if name.isalpha() and len(name) <= _MAX_NAME else MASK


def _member(name: str, value: Any) -> Any:
    match name.lower():
        case "kind" if isinstance(value, str):
            return _name(value)
        case "timestamp" if read_timestamp(value) is not None:
            return value
        case "participantrawid" if isinstance(value, str):
            return value
        case _:
            return _masked(value)
