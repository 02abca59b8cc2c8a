"""The JSON of the media socket, written by hand: one call builds one message."""

import base64
import json
import os
from typing import Any

from emulator.options import Behaviour

_DIGITS = (
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
)
_WORDS = {str(digit): word for digit, word in enumerate(_DIGITS)}
_WORDS |= {letter: letter.lower() for letter in "ABCD"}
_WORDS |= {"*": "asterisk", "#": "pound"}
TONES = frozenset(_WORDS)
"""Every tone that DTMF knows."""


def audio_metadata(subscription_id: str, rate: int, length_24k: str) -> bytes:
    """Return the first message of a stream."""
    metadata: dict[str, Any] = {
        "subscriptionId": subscription_id,
        "encoding": "PCM",
        "sampleRate": rate,
        "channels": 1,
    }
    if rate == 16_000:
        metadata["length"] = 640
    elif length_24k != "absent":
        metadata["length"] = int(length_24k)
    return _message("AudioMetadata", "audioMetadata", metadata)


def spelled(tone: str) -> str:
    """Return a tone as callbacks spell it, and sockets may: five, asterisk, a."""
    return _WORDS[tone]


def dtmf(tone: str, behaviour: Behaviour, *, at: str, raw_id: str) -> bytes:
    """Return one DtmfData message."""
    tone = spelled(tone) if behaviour.dtmf_spelling == "word" else tone
    body: dict[str, Any] = {"data": tone}
    if behaviour.dtmf_details:
        body |= {"timestamp": at, "participantRawID": raw_id}
    return _message("DtmfData", "dtmfData", body)


def _message(kind: str, member: str, body: dict[str, Any]) -> bytes:
    return json.dumps({"kind": kind, member: body}, separators=(",", ":")).encode()


class AudioWriter:
    """Writes the AudioData messages of one participant (None: of a mixed stream)."""

    def __init__(
        self,
        raw_id: str | None,
        frame_bytes: int,
        behaviour: Behaviour,
        *,
        spelling: str = "participantRawID",
        with_silent: bool = True,
    ) -> None:
        self._after_time = b'",' + _participant(raw_id, spelling, behaviour)
        self._after_time += b'"data":"'
        self._speaking = b'","silent":false}}' if with_silent else b'"}}'
        self._silent = b'","silent":true}}' if with_silent else b'"}}'
        noise = behaviour.silent_buffer == "noise"
        # Low noise: every sample's high byte is zero.
        pairs = (bytes((value & 15, 0)) for value in os.urandom(frame_bytes // 2))
        self.silence = b"".join(pairs) if noise else bytes(frame_bytes)

    def write(self, timestamp: bytes, pcm: bytes, *, silent: bool) -> bytes:
        """Return one message. A silent frame carries the silence buffer."""
        return b"".join(
            (
                b'{"kind":"AudioData","audioData":{"timestamp":"',
                timestamp,
                self._after_time,
                base64.b64encode(self.silence if silent else pcm),
                self._silent if silent else self._speaking,
            )
        )


def _participant(raw_id: str | None, spelling: str, behaviour: Behaviour) -> bytes:
    if raw_id is None:
        values = {"absent": b"", "null": b"null", "empty": b'""'}
        value = values[behaviour.mixed_participant]
    else:
        value = json.dumps(raw_id).encode()
    return b'"%s":%s,' % (spelling.encode(), value) if value else b""
