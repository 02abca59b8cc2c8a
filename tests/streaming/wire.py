"""Frames as ACS puts them on the media socket, written by hand.

Not by our own encoder: one misreading of the wire must not hide in both ends.
"""

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any

ALICE = "8:acs:resource_alice"
BOB = "4:+12065550100"
START = datetime(2026, 3, 1, 12, 0, 0, 250_000, tzinfo=UTC)
PACKET_US = 20_000
RATE = 16_000
SAMPLES = 320


def metadata(rate: int = RATE, subscription: str = "sub-1", **more: Any) -> str:
    payload = {
        "subscriptionId": subscription,
        "encoding": "PCM",
        "sampleRate": rate,
        "channels": 1,
        "length": rate // 25,
    }
    return json.dumps({"kind": "AudioMetadata", "audioMetadata": payload | more})


def audio(
    number: float,
    raw_id: str | None = ALICE,
    *,
    pcm: bytes | None = None,
    silent: bool = False,
    start: datetime = START,
) -> str:
    """Return the packet captured `number` times 20 ms after `start`."""
    stamp = start + timedelta(microseconds=round(number * PACKET_US))
    payload: dict[str, Any] = {
        # Seven digits, as .NET writes them.
        "timestamp": f"{stamp:%Y-%m-%dT%H:%M:%S}.{stamp.microsecond:06d}0Z",
        "data": base64.b64encode(voice(int(number)) if pcm is None else pcm).decode(),
        "silent": silent,
    }
    if raw_id is not None:
        payload["participantRawID"] = raw_id
    return json.dumps({"kind": "AudioData", "audioData": payload})


def dtmf(tone: str, raw_id: str = ALICE) -> str:
    payload = {"data": tone, "participantRawID": raw_id}
    return json.dumps({"kind": "DtmfData", "dtmfData": payload})


def transcription(text: str) -> str:
    payload = {"text": text, "format": "display", "resultStatus": "Final"}
    return json.dumps({"kind": "TranscriptionData", "transcriptionData": payload})


def voice(number: int, samples: int = SAMPLES) -> bytes:
    """Return PCM that no other packet has and that is not silence."""
    first = (number * 37 % 20_000) + 1_000
    return b"".join(
        (first + sample % 50).to_bytes(2, "little", signed=True)
        for sample in range(samples)
    )


def microseconds(moment: datetime) -> int:
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
