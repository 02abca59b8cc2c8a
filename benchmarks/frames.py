"""Client frames of one speaker, rendered and masked before they are needed.

A packet differs from the one before it only in the digits of its timestamp. The mask
key is four equal bytes and not zero: a digit is then masked alike wherever it stands,
so its masked form is looked up, and the server has to unmask as with any other key.
"""

import base64
import json
import random
from collections.abc import Callable
from datetime import UTC, datetime

RATE = 16_000
PACKET_BYTES = 640
PACKET_US = 20_000
KEY = 0x5A
_MASKED = bytes(byte ^ KEY for byte in range(256))
_THOUSANDTHS = [f"{number:03d}".encode().translate(_MASKED) for number in range(1000)]
_STAMP = "0000-00-00T00:00:00.000000"

TEXT, CLOSE, PING, PONG = 1, 8, 9, 10
_FIN, _IS_MASKED = 0x80, 0x80
_SHORT, _TWO_BYTES = 125, 126


def client_frame(opcode: int, payload: bytes) -> bytearray:
    """Return a whole masked frame (RFC 6455, 5.2) of less than 64 KiB."""
    frame = bytearray([_FIN | opcode])
    if len(payload) <= _SHORT:
        frame.append(_IS_MASKED | len(payload))
    else:
        frame.append(_IS_MASKED | _TWO_BYTES)
        frame += len(payload).to_bytes(2, "big")
    return frame + bytes([KEY] * 4) + payload.translate(_MASKED)


def closing_words(payload: bytes) -> str:
    """Return what a close frame says (RFC 6455, 5.5.1): its code and its reason."""
    code, reason = payload[:2], payload[2:].decode(errors="replace")
    return f"{int.from_bytes(code, 'big')} {reason}".rstrip() if code else "no code"


def metadata_frame(name: str) -> bytearray:
    """Return the first message of a socket."""
    about = {
        "subscriptionId": name,
        "encoding": "PCM",
        "sampleRate": RATE,
        "channels": 1,
        "length": PACKET_BYTES,
    }
    message = {"kind": "AudioMetadata", "audioMetadata": about}
    return client_frame(TEXT, json.dumps(message).encode())


def audio_frame(number: int) -> tuple[bytearray, slice]:
    """Return a frame of noise of speaker `number`, and where its timestamp stands."""
    noise = random.Random(number)  # noqa: S311 noise, not a secret
    speech = base64.b64encode(noise.randbytes(PACKET_BYTES)).decode()
    text = (
        f'{{"kind":"AudioData","audioData":{{"timestamp":"{_STAMP}Z",'
        f'"participantRawID":"4:+1206555{number:04d}","data":"{speech}",'
        '"silent":false}}'
    )
    frame = client_frame(TEXT, text.encode())
    start = frame.index(_STAMP.encode().translate(_MASKED))
    return frame, slice(start, start + len(_STAMP))


def stamper() -> Callable[[int], bytes]:
    """Return a function from microseconds since 1970 to a masked timestamp."""
    known, prefix = -1, b""

    def stamp(at_us: int) -> bytes:
        nonlocal known, prefix
        second, fraction = divmod(at_us, 1_000_000)
        if second != known:
            moment = datetime.fromtimestamp(second, UTC)
            prefix = f"{moment:%Y-%m-%dT%H:%M:%S}.".encode().translate(_MASKED)
            known = second
        return prefix + _THOUSANDTHS[fraction // 1000] + _THOUSANDTHS[fraction % 1000]

    return stamp
