"""What a media socket may send, and in which order. No clock, no I/O, no audio.

Two rules are kept here and nowhere else: audio needs metadata before it, because
without a sample rate it is only bytes; and a peer that sends nothing but malformed
frames is not ACS.
"""

from typing import TypeAlias, assert_never

import msgspec

from .codec import decode
from .messages import (
    AudioData,
    AudioMetadata,
    DecodeError,
    DtmfData,
    Message,
    TranscriptionData,
    TranscriptionMetadata,
    Unknown,
)

# RFC 6455, 7.4.1: a type of data that cannot be accepted (here: binary, not PCM).
UNSUPPORTED_DATA = 1003
# RFC 6455, 7.4.1: data not consistent with the type of the message.
INVALID_DATA = 1007

# Unknown kinds are counted by name, and the peer chooses the names.
MAX_UNKNOWN_KINDS = 32
OTHER_KINDS = "(other)"
NO_KIND = "(none)"


class MetadataReceived(msgspec.Struct, frozen=True, gc=False):
    """Audio of this format follows. A second one means ACS started again."""

    metadata: AudioMetadata
    raw: str
    """The frame itself, to be kept beside the audio."""


class AudioReceived(msgspec.Struct, frozen=True, gc=False):
    """A packet arrived."""

    audio: AudioData


class DtmfReceived(msgspec.Struct, frozen=True, gc=False):
    """A key was pressed."""

    dtmf: DtmfData


class TranscriptionReceived(msgspec.Struct, frozen=True, gc=False):
    """Words arrived, or what is to be known before them."""

    transcription: TranscriptionMetadata | TranscriptionData


class UnknownReceived(msgspec.Struct, frozen=True, gc=False):
    """A frame of a kind we do not read: counted, otherwise ignored."""

    kind: str | None


class MalformedReceived(msgspec.Struct, frozen=True, gc=False):
    """A frame that says nothing; the socket stays open."""

    reason: str


class Refused(msgspec.Struct, frozen=True, gc=False):
    """Close the socket with this code. Every later frame gets the same answer."""

    reason: str
    close_code: int


Event: TypeAlias = (
    AudioReceived
    | MetadataReceived
    | DtmfReceived
    | TranscriptionReceived
    | UnknownReceived
    | MalformedReceived
    | Refused
)


class MediaStream:
    """One media socket: feed it each WebSocket message, act on the event it returns.

    `receive` never raises. The counters are for reading only; none counts a frame
    that came after the refusal.
    """

    __slots__ = (
        "_malformed_in_a_row",
        "_max_malformed",
        "malformed",
        "messages",
        "metadata",
        "metadata_count",
        "refused",
        "unknown_kinds",
        "unreadable_timestamps",
    )

    def __init__(self, max_malformed: int = 50) -> None:
        self._max_malformed = max_malformed
        self._malformed_in_a_row = 0
        self.metadata: AudioMetadata | None = None
        """The format in force."""
        self.refused: Refused | None = None
        self.messages = 0
        """Frames received, malformed ones included."""
        self.malformed = 0
        self.metadata_count = 0
        self.unreadable_timestamps = 0
        """Packets and tones kept although their time could not be read."""
        self.unknown_kinds: dict[str, int] = {}
        """By name, at most MAX_UNKNOWN_KINDS of them; the rest under OTHER_KINDS."""

    def receive(self, frame: str | bytes) -> Event:
        """What this frame means here."""
        if self.refused is not None:
            return self.refused
        self.messages += 1
        # ACS sends text (every sample does); binary is nowhere documented.
        if not isinstance(frame, str):
            return self._refuse("binary frame", UNSUPPORTED_DATA)
        try:
            message = decode(frame)
        except DecodeError as exc:
            return self._count_malformed(str(exc))
        self._malformed_in_a_row = 0
        if type(message) is AudioData and self.metadata is not None:
            # Nearly every frame there is.
            self.unreadable_timestamps += message.timestamp_unreadable
            return AudioReceived(message)
        return self._take(message, frame)

    def _take(self, message: Message, frame: str) -> Event:
        match message:
            case AudioData():
                return self._refuse("audio before AudioMetadata", INVALID_DATA)
            case AudioMetadata():
                return self._take_metadata(message, frame)
            case DtmfData():
                self.unreadable_timestamps += message.timestamp_unreadable
                return DtmfReceived(message)
            case TranscriptionMetadata() | TranscriptionData():
                return TranscriptionReceived(message)
            case Unknown(kind):
                return self._count_unknown(kind)
            case _:
                assert_never(message)

    def _take_metadata(
        self, metadata: AudioMetadata, raw: str
    ) -> MetadataReceived | Refused:
        # Stored as PCM, another encoding would be noise that nobody can undo.
        if metadata.encoding != "PCM":
            return self._refuse("encoding is not PCM", UNSUPPORTED_DATA)
        self.metadata = metadata
        self.metadata_count += 1
        return MetadataReceived(metadata, raw)

    def _count_malformed(self, reason: str) -> MalformedReceived | Refused:
        self.malformed += 1
        self._malformed_in_a_row += 1
        if self._malformed_in_a_row >= self._max_malformed:
            return self._refuse(
                f"{self._malformed_in_a_row} malformed frames in a row, last: {reason}",
                INVALID_DATA,
            )
        return MalformedReceived(reason)

    def _count_unknown(self, kind: str | None) -> UnknownReceived:
        # ACS may send kinds we have not met; counting them says so before a user does.
        name = NO_KIND if kind is None else kind
        if name not in self.unknown_kinds:
            if len(self.unknown_kinds) >= MAX_UNKNOWN_KINDS:
                name = OTHER_KINDS
            self.unknown_kinds.setdefault(name, 0)
        self.unknown_kinds[name] += 1
        return UnknownReceived(kind)

    def _refuse(self, reason: str, close_code: int) -> Refused:
        self.refused = Refused(reason, close_code)
        return self.refused
