"""Text to messages and audio to text; the theory is in the package's docstring."""

import binascii
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import msgspec

from . import _wire
from .messages import DecodeError, Message, Unknown

# Kinds are counted, logged and shown: a peer must not choose how long they are.
MAX_KIND_LENGTH = 64


@dataclass(frozen=True, slots=True)
class _Reader:
    """How to read the payload of one kind, however its members are spelled."""

    kind: str
    spellings: Mapping[str, str]
    decode: Callable[[bytes], _wire.Payload]

    def read(self, payload: msgspec.Raw) -> Message:
        members = _canonical(_MEMBERS.decode(payload), self.spellings)
        # NUL is legal in JSON and impossible in PostgreSQL.
        text = msgspec.json.encode(members).replace(rb"\u0000", rb"\ufffd")
        return self.decode(text).message()


def _reader(
    kind: str, payload: type[_wire.Payload], aliases: Mapping[str, str] | None = None
) -> _Reader:
    """A reader that knows each member by its lower-case name and its aliases."""
    names = payload.__struct_encode_fields__
    return _Reader(
        kind=kind,
        spellings={**{name.lower(): name for name in names}, **(aliases or {})},
        decode=msgspec.json.Decoder(payload).decode,
    )


_READERS = {
    reader.kind.lower(): reader
    for reader in (
        _reader("AudioMetadata", _wire.AudioMetadataPayload),
        _reader("AudioData", _wire.AudioDataPayload),
        _reader("DtmfData", _wire.DtmfDataPayload, {"tone": "data"}),
        _reader(
            "TranscriptionMetadata",
            _wire.TranscriptionMetadataPayload,
            {"speechrecognitionmodelendpointid": "speechModelEndpointId"},
        ),
        _reader("TranscriptionData", _wire.TranscriptionDataPayload),
    )
}
# The payload of a kind stands under the kind's own name: AudioData under audioData.
_ENVELOPE = {"kind": "kind"} | {
    kind: reader.kind[0].lower() + reader.kind[1:] for kind, reader in _READERS.items()
}
_MEMBERS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_KIND = msgspec.json.Decoder(str)


class _AudioFrame(
    msgspec.Struct, tag_field="kind", tag="AudioData", forbid_unknown_fields=True
):
    """The one frame worth a path of its own, spelled exactly as ACS documents it."""

    audio: _wire.AudioDataPayload = msgspec.field(name="audioData")


_AUDIO_FRAME = msgspec.json.Decoder(_AudioFrame)


def decode(frame: str | bytes) -> Message:
    """The message that one WebSocket message carries.

    Raises DecodeError, and nothing else, whatever the text or the bytes are. Bytes are
    read as UTF-8. Members we do not know are ignored; unknown kinds are not errors.

    Audio spelled the documented way is read in one pass. Whatever that pass refuses, a
    member it does not know included, is read again with all spellings allowed, so both
    always agree on what a frame says.
    """
    try:
        text = frame.decode() if isinstance(frame, bytes) else frame
        try:
            audio = _AUDIO_FRAME.decode(text).audio
        except msgspec.ValidationError:
            return _decode_any(text)
        return audio.message()
    except UnicodeError as exc:
        raise DecodeError("not UTF-8") from exc
    except RecursionError as exc:
        raise DecodeError("nested too deeply") from exc
    except msgspec.DecodeError as exc:
        raise DecodeError(str(exc)) from exc


def _decode_any(text: str) -> Message:
    """Read a frame of any kind in any spelling: dispatch on kind, then on the payload.

    `kind` decides, never the presence of a payload: one SDK sends `"stopAudio":{}`
    with every audio frame.
    """
    members = _canonical(_MEMBERS.decode(text), _ENVELOPE)
    if "kind" in members:
        kind = _KIND.decode(members["kind"])
        reader = _READERS.get(kind.lower())
        if reader is None:
            return Unknown(_wire.without_nul(kind[:MAX_KIND_LENGTH]))
    elif members:
        reader = _READERS[next(iter(members)).lower()]
    else:
        return Unknown(None)
    payload = members.get(_ENVELOPE[reader.kind.lower()])
    if payload is None:
        raise DecodeError(f"{reader.kind} without a payload")
    try:
        return reader.read(payload)
    except msgspec.DecodeError as exc:
        raise DecodeError(f"{reader.kind}: {exc}") from exc


def _canonical(
    members: Mapping[str, msgspec.Raw], spellings: Mapping[str, str]
) -> dict[str, msgspec.Raw]:
    """The members we know, under the names we use, without those that are null.

    An exact name wins over another spelling of it, wherever the two stand.
    """
    known: dict[str, msgspec.Raw] = {}
    for name, value in members.items():
        canonical = spellings.get(name.lower())
        if canonical is None or bytes(value) == b"null":
            continue
        if name == canonical:
            known[canonical] = value
        else:
            known.setdefault(canonical, value)
    return known


def encode_audio(pcm: bytes) -> str:
    """The text that makes ACS play 16-bit samples into the call.

    ACS queues what it gets and plays it in real time; no bound of that queue is
    documented, so pace what you send. Raises ValueError for half a sample.
    """
    if len(pcm) % 2:
        raise ValueError(f"{len(pcm)} bytes are not whole 16-bit samples")
    data = binascii.b2a_base64(pcm, newline=False).decode("ascii")
    return f'{{"Kind":"AudioData","AudioData":{{"Data":"{data}"}},"StopAudio":null}}'


def encode_stop_audio() -> str:
    """The text that makes ACS drop the audio it has queued but not yet played."""
    return '{"Kind":"StopAudio","AudioData":null,"StopAudio":{}}'
