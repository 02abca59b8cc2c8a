"""Hostile frames and bodies: true ones, each with something wrong in it.

By seed, so that what broke something can be made again. Some stay true: what is behind
the first checks is reached only by what passes them.
"""

import base64
import json
import random
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

Document = dict[str, Any]

BINARY_SHARE = 0.01
SPEAKERS = ("8:acs:alice", "4:+12065550100", "4:+12065550101", None)
START = datetime(2026, 3, 1, 12, tzinfo=UTC)
NOISE = base64.b64encode(random.Random(1).randbytes(640)).decode()  # noqa: S311 noise
NOISES = [
    random.Random(number).randbytes(17 * number * number)  # noqa: S311 noise
    for number in range(16)
]

ODD: tuple[Callable[[random.Random], Any], ...] = (
    lambda _: None,
    lambda _: True,
    lambda _: "",
    lambda _: [],
    lambda _: {},
    lambda _: -1,
    lambda _: 2**31,
    lambda _: -(2**63) - 1,
    lambda _: 10**400,
    lambda _: 1e308,
    lambda _: 5e-324,
    lambda _: float("nan"),
    lambda _: float("inf"),
    lambda _: "\x00",
    lambda _: "\ud800",
    lambda _: "\udfff\ud800x",
    lambda _: "\u202e\ufeff\U0001f525" * 3,
    lambda _: "9999-12-31T23:59:59.9999999Z",
    lambda _: "0001-01-01T00:00:00+14:00",
    lambda _: "2026-02-30T25:61:61Z",
    lambda _: "=" * 7,
    lambda _: "QQ",
    lambda _: "*not base64*",
    lambda _: "'; drop table calls_call; --",
    lambda _: "../../../../etc/passwd",
    lambda draw: "x" * draw.choice((128, 255, 256, 4096, 70_000)),
    # Of few: each new name of a participant is a track, and those are limited.
    lambda draw: NOISES[draw.randrange(16)][:40].decode("latin-1"),
    lambda draw: base64.b64encode(NOISES[draw.randrange(16)]).decode(),
    lambda draw: deep(draw.choice((30, 70, 600))),
    lambda draw: [draw.random()] * draw.choice((3, 1000)),
    lambda draw: {f"k{n}": n for n in range(draw.choice((3, 500)))},
)


def deep(levels: int) -> Any:
    """Return lists and objects within one another."""
    value: Any = 1
    for level in range(levels):
        value = [value] if level % 2 else {"a": value}
    return value


class Maker:
    """Makes one hostile text after the other from what `true` makes."""

    def __init__(
        self,
        seed: int,
        true: Callable[[random.Random], Any],
        *,
        true_share: float = 0.25,
        text_share: float = 0.3,
    ) -> None:
        self.draw = random.Random(seed)  # noqa: S311 hostile, not secret
        self._true = true
        self._true_share = true_share
        self._text_share = text_share

    def next(self) -> bytes:
        """Return the next text; mostly JSON, not always UTF-8."""
        document = self._true(self.draw)
        if self.draw.random() < self._true_share:
            return written(document)
        for _ in range(self.draw.randint(1, 3)):
            document = self._odd(document)
        text = written(document)
        return self._torn(text) if self.draw.random() < self._text_share else text

    def _odd(self, document: Any) -> Any:
        """Return the document with one place changed."""
        place: Any = document
        while isinstance(place, dict | list) and place:
            keys: Sequence[Any] = (
                list(place) if isinstance(place, dict) else range(len(place))
            )
            key = self.draw.choice(keys)
            inner = place[key]
            if isinstance(inner, dict | list) and inner and self.draw.random() < 0.8:
                place = inner
                continue
            self._change(place, key)
            return document
        return self.draw.choice(ODD)(self.draw)

    def _change(self, place: Any, key: Any) -> None:
        match self.draw.randrange(6):
            case 0 if isinstance(place, dict):
                del place[key]
            case 1 if isinstance(place, dict):
                place[str(key).swapcase()] = place.pop(key)
            case 2 if isinstance(place, dict):
                place[self.draw.choice(("", "\x00", "x" * 300, "kind"))] = place[key]
            case 3 if isinstance(place, list):
                place.extend(place[:1] * self.draw.choice((1, 20)))
            case _:
                place[key] = self.draw.choice(ODD)(self.draw)

    def _torn(self, text: bytes) -> bytes:
        """Return the text with bytes cut, doubled, changed or put in."""
        at = self.draw.randrange(len(text) + 1)
        length = self.draw.choice((3, self.draw.randrange(1, 200)))
        noise = self.draw.randbytes(length)
        if self.draw.random() >= BINARY_SHARE:
            # Text that is not UTF-8 ends a socket: most is strange, and is UTF-8.
            noise = noise.decode("latin-1").encode()
        made = (
            text[:at],
            text[:at] + text,
            text[:at] + noise + text[at:],
            # The same key twice: readers differ in which of them counts.
            text.replace(b"{", b'{"kind":7,"data":null,"id":[],', 1),
            b"\xef\xbb\xbf" + text,
            text.replace(b":", b": NaN,", 1),
            noise,
        )
        return self.draw.choice(made)


def written(document: Any) -> bytes:
    """Return a document as JSON; what JSON has not (NaN) is written as Python does."""
    return json.dumps(document).encode()


def media_frame(draw: random.Random) -> Document:
    """Return a true frame of a media socket."""
    kind = draw.choices(("audio", "dtmf", "metadata", "new"), (200, 20, 1, 5))[0]
    at = START + timedelta(milliseconds=20 * draw.randrange(3000))
    stamp = f"{at:%Y-%m-%dT%H:%M:%S.%f}0Z"
    speaker = draw.choice(SPEAKERS)
    match kind:
        case "audio":
            audio = {
                "timestamp": stamp,
                "participantRawID": speaker,
                "data": NOISE,
                "silent": draw.random() < 0.2,
            }
            return {"kind": "AudioData", "audioData": audio}
        case "dtmf":
            tone = {"data": draw.choice("0123456789*#"), "participantRawID": speaker}
            return {"kind": "DtmfData", "dtmfData": tone | {"timestamp": stamp}}
        case "metadata":
            return media_metadata()
        case _:
            return {"kind": "FromTheFuture", "fromTheFuture": {"a": 1}}


def media_metadata() -> Document:
    """Return the first frame of a media socket."""
    about = {
        "subscriptionId": "fuzz",
        "encoding": "PCM",
        "sampleRate": 16_000,
        "channels": 1,
        "length": 640,
    }
    return {"kind": "AudioMetadata", "audioMetadata": about}


def transcription_frame(draw: random.Random) -> Document:
    """Return a true frame of a transcription socket."""
    offset = draw.randrange(10**9)
    words = [{"text": each, "offset": offset, "duration": 10**6} for each in "abc"]
    said = {
        "text": "good morning",
        "format": "display",
        "confidence": 0.9,
        "offset": offset,
        "duration": 3 * 10**6,
        "words": words,
        "participantRawID": draw.choice(SPEAKERS),
        "resultStatus": draw.choice(("Intermediate", "Final")),
    }
    if draw.random() < 0.01:
        return transcription_metadata()
    return {"kind": "TranscriptionData", "transcriptionData": said}


def transcription_metadata() -> Document:
    """Return the first frame of a transcription socket."""
    about = {"subscriptionId": "fuzz", "locale": "en-US", "callConnectionId": "fuzz"}
    return {"kind": "TranscriptionMetadata", "transcriptionMetadata": about}


KINDS = (
    "CallConnected",
    "ParticipantsUpdated",
    "MediaStreamingStarted",
    "MediaStreamingFailed",
    "TranscriptionUpdated",
    "ContinuousDtmfRecognitionToneReceived",
    "PlayCompleted",
    "AnswerFailed",
    "CallDisconnected",
)


def callbacks(connection_id: str) -> Callable[[random.Random], list[Document]]:
    """Return what makes true callbacks on a call."""

    def made(draw: random.Random) -> list[Document]:
        return [
            callback(draw, connection_id) for _ in range(draw.choice((1, 1, 1, 1, 3)))
        ]

    return made


def callback(draw: random.Random, connection_id: str) -> Document:
    """Return one true callback."""
    kind = f"Microsoft.Communication.{draw.choice(KINDS)}"
    people = [
        {"identifier": {"rawId": raw_id}, "isMuted": False, "isOnHold": False}
        for raw_id in SPEAKERS[:2]
    ]
    ids = {"callConnectionId": connection_id, "correlationId": "c"}
    return {
        "id": f"event {draw.getrandbits(64)}",
        "source": f"calling/callConnections/{connection_id}",
        "type": kind,
        "specversion": "1.0",
        "time": "2026-05-06T16:31:49.4325350+00:00",
        "data": ids
        | {
            "resultInformation": {"code": 200, "subCode": 0, "message": "ok"},
            "operationContext": "x",
            "sequenceNumber": draw.randrange(9),
            "participants": people,
            "tone": draw.choice(("five", "pound")),
            "mediaStreamingUpdate": {
                "contentType": "Audio",
                "mediaStreamingStatus": "mediaStreamingStarted",
                "mediaStreamingStatusDetails": "subscriptionStarted",
            },
        },
    }


def ringing(draw: random.Random) -> list[Document]:
    """Return what Event Grid posts."""
    number: Document = {"kind": "phoneNumber", "phoneNumber": {"value": "+12065550199"}}
    about: Document
    if draw.random() < 0.1:
        kind = "Microsoft.EventGrid.SubscriptionValidationEvent"
        about = {"validationCode": f"{draw.getrandbits(64)}"}
    else:
        kind = "Microsoft.Communication.IncomingCall"
        about = {
            "to": number | {"rawId": "4:+12065550199"},
            "from": number | {"rawId": "4:+12065550100"},
            "serverCallId": "aHR0cHM6Ly9zZXJ2ZXI=",
            "callerDisplayName": "Ada",
            "incomingCallContext": "eyJhbGciOiJub25lIn0.x",
            "correlationId": f"{draw.getrandbits(32)}",
        }
    event = {
        "id": f"{draw.getrandbits(64)}",
        "topic": "/subscriptions/s",
        "subject": "/caller/4:+1/recipient/4:+2",
        "data": about,
        "eventType": kind,
        "eventTime": "2026-05-06T16:31:49.4325350Z",
    }
    return [event]
