"""Frames as ACS puts them on the transcription socket, written by hand."""

import json
from typing import Any

from tests.streaming.wire import ALICE

TICKS = 10_000_000


def metadata(subscription: str = "sub-t", locale: str = "en-US", **more: Any) -> str:
    payload = {"subscriptionId": subscription, "locale": locale}
    return json.dumps(
        {"kind": "TranscriptionMetadata", "transcriptionMetadata": payload | more}
    )


def said(
    text: str,
    at: float | None = 0.0,
    seconds: float = 1.0,
    raw_id: str = ALICE,
    *,
    status: str = "Final",
    **more: Any,
) -> str:
    """Return what was said `at` seconds after the start; None: no offset."""
    payload: dict[str, Any] = {
        "text": text,
        "format": "display",
        "participantRawID": raw_id,
        "resultStatus": status,
    }
    if at is not None:
        payload |= {
            "offset": round(at * TICKS),
            "duration": round(seconds * TICKS),
        }
    return json.dumps(
        {"kind": "TranscriptionData", "transcriptionData": payload | more}
    )


def word(text: str, at: float, seconds: float) -> dict[str, Any]:
    return {
        "text": text,
        "offset": round(at * TICKS),
        "duration": round(seconds * TICKS),
    }
