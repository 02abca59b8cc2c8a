"""The media streaming protocol of Azure Communication Services, without any I/O.

Two rules: everything this project knows about the wire stands in this package, and
this package knows nothing else: no socket, no clock, no framework. Text goes in and
frozen values come out; what to do with them is the caller's business.

Theory of the wire
==================
ACS dials our WebSocket and sends JSON in text messages:

    {"kind": "AudioMetadata", "audioMetadata": {…}}    first, and after every redial
    {"kind": "AudioData",     "audioData":     {…}}    50 a second for each speaker
    {"kind": "DtmfData",      "dtmfData":      {…}}    if tones were asked for

and, on a socket of its own, TranscriptionMetadata and TranscriptionData. On a
bidirectional stream we answer with AudioData and StopAudio (`encode_audio`,
`encode_stop_audio`).

There is no schema: Microsoft's REST specification does not mention these messages.
What is known comes from the parsers in Microsoft's .NET, Java and JavaScript SDKs and
their tests, from the documentation's samples, and from reports of people who saw real
traffic; these disagree in spelling and in defaults. So we read what any of them writes:

- `kind` decides. Its case does not matter; without a `kind` the first payload we know
  decides, as in newer Java. A payload's mere presence means nothing: the JavaScript SDK
  writes `"stopAudio":{}` into audio frames.
- Members are found by exact name first, then whatever their case: ACS sends
  `participantRawID`, Java's tests `participantRawId`, .NET's outbound frames `Data`.
  Aliases: `tone` for a DTMF `data`, `speechRecognitionModelEndpointId` for
  `speechModelEndpointId`. Only the options nested in transcription messages are read by
  exact name, since nobody spells those otherwise.
- `null` is absent. Members we do not know are ignored.
- Values that vary in case get one form: `encoding` is upper case, `format` and
  `resultStatus` are lower case, `redactionType` is camel case, a tone is one of
  0-9 * # A-D. A tone spelled in a way we do not know is passed on as it came.
- NUL, which databases refuse, reads as U+FFFD.

What is refused, with DecodeError as the only exception: text that is not JSON or not
UTF-8 (a byte order mark and lone surrogates included), JSON that is not an object or is
nested too deeply, a known kind without its payload, members of the wrong type, names
of more than 255 characters, numbers out of range, and two that would spoil a recording:

- base64 that is not exactly that. msgspec wants the standard alphabet and its padding,
  and no white space; URL-safe text is refused rather than guessed at.
- an odd number of bytes. Samples have two; every sample after a lost byte is noise.

What is forgiven, because audio is worth more than what is written beside it:

- no `silent`, or null: false (.NET, Java). Two of Microsoft's own samples take it for
  true and drop the audio.
- no participant, null, or an empty one: the mixed stream.
- a `timestamp` that cannot be read (not ISO 8601, no offset, the year 1 that .NET
  writes for "not set"): None, with `timestamp_unreadable` set, to be counted.
  Fractions have any number of digits and are cut, not rounded, to microseconds.
- `length` in AudioMetadata that is missing or odd: None. Newer SDKs dropped it, and one
  source shows 640 for a stream whose frames have 960 bytes.

A socket's rules (`MediaStream`) are ours: metadata before audio, text only, PCM only,
and no more than fifty malformed frames in a row. RFC 6455 gives the close codes.

Unconfirmed
===========
How * # and A-D are spelled here; whether a mixed stream omits the participant or sends
null; what a DtmfData's time and participant look like; whether ACS ever sends binary;
its close codes. Each reading above is safe whichever way these turn out. `MarkData` (a
preview's word on playback) and `DtmfMetadata` (seen in one branch of one SDK) are not
in any released API and come out as `Unknown`, so their arrival would be counted. The
private preview of 2022, which had no envelope, is not read.
"""

from ._wire import TONES, read_tone
from .codec import decode, encode_audio, encode_stop_audio
from .masking import MASK, mask_keys, mentions_keys
from .messages import (
    AudioData,
    AudioMetadata,
    DecodeError,
    DtmfData,
    Message,
    TranscribedWord,
    TranscriptionData,
    TranscriptionMetadata,
    Unknown,
)
from .participants import (
    MIXED,
    NOBODY,
    US,
    ParticipantKind,
    display,
    participant_kind,
)
from .session import (
    AudioReceived,
    DtmfReceived,
    Event,
    MalformedReceived,
    MediaStream,
    MetadataReceived,
    Refused,
    TranscriptionReceived,
    UnknownReceived,
)

__all__ = [
    "MASK",
    "MIXED",
    "NOBODY",
    "TONES",
    "US",
    "AudioData",
    "AudioMetadata",
    "AudioReceived",
    "DecodeError",
    "DtmfData",
    "DtmfReceived",
    "Event",
    "MalformedReceived",
    "MediaStream",
    "Message",
    "MetadataReceived",
    "ParticipantKind",
    "Refused",
    "TranscribedWord",
    "TranscriptionData",
    "TranscriptionMetadata",
    "TranscriptionReceived",
    "Unknown",
    "UnknownReceived",
    "decode",
    "display",
    "encode_audio",
    "encode_stop_audio",
    "mask_keys",
    "mentions_keys",
    "participant_kind",
    "read_tone",
]
