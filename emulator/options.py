"""Settings of the emulator, and the behaviours nobody has confirmed, as options.

Every field of `Settings` and `Behaviour` is a command line option and an environment
variable `ACSEMU_…`; behaviours can also be given per call.
"""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Self, TypeVar

from emulator.kinds import per_kind

T = TypeVar("T")

DEVELOPMENT_KEY = "YWNzZW11LWRldmVsb3BtZW50LWtleS1ub3QtYS1zZWNyZXQtYXQtYWxsIQ=="
"""The access key unless another is given. Everybody knows it: it protects nothing."""
DEVELOPMENT_RESOURCE = "5a1e0acc-0000-4000-8000-00000000acce"


class OptionError(Exception):
    """A value that an option does not take; the message names the option."""


def option(default: T, about: str, choices: tuple[T, ...] = ()) -> T:
    """Return a field that says what it is for and which values it takes."""
    metadata = {"about": about, "choices": choices}
    chosen: T = field(default=default, metadata=metadata)
    return chosen


@dataclass(frozen=True, kw_only=True)
class Options:
    """A set of named options that can be read from text and from JSON."""

    @classmethod
    def parse(cls, values: Mapping[str, Any], *, base: Self | None = None) -> Self:
        """Return `base` (or the defaults) with values replaced. Raises OptionError."""
        known = {each.name: each for each in fields(cls)}
        parsed = {}
        for name, value in values.items():
            if name not in known:
                raise OptionError(f"{name}: there is no such option")
            parsed[name] = _parsed(known[name], value)
        return dataclasses.replace(base or cls(), **parsed)


def _parsed(known: "dataclasses.Field[Any]", value: Any) -> Any:
    default: Any = known.default
    kind = type(default)
    choices = known.metadata["choices"]
    try:
        if kind is not bool and isinstance(value, bool):
            raise ValueError
        value = _boolean(value) if kind is bool else kind(value)
    except (TypeError, ValueError) as exc:
        raise OptionError(f"{known.name}: {value!r} is not {kind.__name__}") from exc
    if choices and value not in choices:
        raise OptionError(f"{known.name}: {value!r} is none of {choices}")
    if kind in (int, float) and value < 0:
        raise OptionError(f"{known.name}: must not be negative")
    return value


def _boolean(value: Any) -> bool:
    known = {"on": True, "true": True, "1": True, "off": False, "false": False}
    known["0"] = False
    text = str(value).lower()
    if text not in known:
        raise ValueError
    return known[text]


PER_KIND = (
    "callbacks_lost",
    "callbacks_late",
    "callbacks_duplicated",
    "callbacks_reordered",
    "callbacks_batched",
)
"""Behaviours that name types of callbacks, separated by commas; `*` is every type."""


@dataclass(frozen=True, kw_only=True)
class Behaviour(Options):
    """How the service behaves where no source confirms it. Durations are seconds."""

    open_socket: str = option(
        "at_start",
        "when the socket opens if startMediaStreaming is false",
        ("at_start", "at_answer"),
    )
    on_stop: str = option(
        "close",
        "what stopMediaStreaming does to the socket; keep: for the next start",
        ("close", "keep"),
    )
    socket_order: str = option(
        "before",
        "whether the socket opens before or after CallConnected is posted",
        ("before", "after"),
    )
    double_start: str = option(
        "redial",
        "what a second start does while streaming",
        ("redial", "ignore"),
    )
    packets: str = option(
        "all",
        "sparse: one slot of audio each second; none: no audio",
        ("all", "sparse", "none"),
    )
    connect_delay: float = option(0.2, "from answer to connected")
    ring_seconds: float = option(30.0, "how long an unanswered call rings")
    answer_delay: float = option(
        0.5, "until somebody answers whom the app adds or transfers to"
    )
    answer_response: str = option(
        "at_once",
        "when answer, create and connect are answered: at once, or when CallConnected "
        "was delivered",
        ("at_once", "after_connected"),
    )
    socket_delay: float = option(0.0, "before the socket of a start is dialled")
    dial_attempts: int = option(3, "attempts to open a socket before giving up")
    redial_attempts: int = option(6, "the same for a socket that replaces a lost one")
    dial_backoff: float = option(
        0.5, "before the second attempt; then it doubles, up to 5 s"
    )
    redial_delay: float = option(1.0, "from losing a socket to dialling again")
    redial_limit: int = option(
        20, "sockets the peer may drop in one subscription before it is given up"
    )
    redial_subscription: str = option(
        "same", "subscriptionId after a redial", ("same", "new")
    )
    announce_redial: bool = option(
        False, "post MediaStreamingStarted (streamConnectionReestablished) on a redial"
    )
    hangup_code: int = option(1000, "close code when the call ends")
    stop_code: int = option(1000, "close code at stopMediaStreaming")
    redial_code: int = option(1001, "close code before a clean redial")
    close_seconds: float = option(5.0, "wall time to wait for the peer's close frame")
    hangup_sends_stopped: bool = option(
        False, "post MediaStreamingStopped before CallDisconnected at hang-up"
    )
    mixed_participant: str = option(
        "absent",
        "participantRawID in a mixed stream",
        ("absent", "null", "empty"),
    )
    length_24k: str = option(
        "960", "length in AudioMetadata at 24 kHz", ("960", "640", "absent")
    )
    silent_frames: str = option(
        "sent", "frames of silent speakers in an unmixed stream", ("sent", "omitted")
    )
    silent_buffer: str = option(
        "zeros", "what the buffer of a silent frame holds", ("zeros", "noise")
    )
    silence_threshold: int = option(0, "highest 16-bit sample that counts as silence")
    speakers: int = option(4, "most speakers in one slot of an unmixed stream")
    timestamp_digits: int = option(3, "fraction digits of time stamps", (0, 3, 7))
    own_audio: str = option(
        "absent",
        "what the app says into the call is absent from or part of a mixed stream",
        ("absent", "mixed"),
    )
    echo: str = option(
        "ignored",
        "how long it takes until what the call says is heard in it again, from the app",
        ("ignored", "measured"),
    )
    dtmf_spelling: str = option(
        "literal", "how * # A-D are spelt in DtmfData", ("literal", "word")
    )
    dtmf_details: bool = option(
        False, "DtmfData carries timestamp and participantRawID too"
    )
    dtmf_socket: str = option(
        "sent",
        "lost: no tone comes over the socket although it was asked for",
        ("sent", "lost"),
    )
    extra_headers: str = option(
        "", "further headers of the socket, as 'Name: value; Name: value'"
    )
    compression: bool = option(False, "offer permessage-deflate")
    ping_seconds: float = option(0.0, "ping the peer so often, in wall time; 0: never")
    backlog_seconds: float = option(
        10.0, "audio kept for a peer that reads slowly; older frames are dropped"
    )
    outbound_bytes: int = option(65536, "largest message accepted from the peer")
    transcripts: str = option(
        "sent",
        "whether a transcription opens a socket; none: it has state and callbacks only",
        ("sent", "none"),
    )
    transcript_delay: float = option(0.4, "from the end of a line to its final result")
    transcript_offsets: str = option(
        "relative",
        "what offsets are: from the start of transcription, .NET dates, or the last "
        ".NET date minus those",
        ("relative", "date", "inverted"),
    )
    transcript_redial: str = option(
        "go_on",
        "after a redial small offsets go on, or begin anew",
        ("go_on", "begin_anew"),
    )
    callback_content_type: str = option(
        "application/json; charset=utf-8", "Content-Type of callbacks"
    )
    callback_order: str = option(
        "in_order",
        "reversed: ParticipantsUpdated is posted before CallConnected",
        ("in_order", "reversed"),
    )
    callback_batch: bool = option(
        False, "post CallConnected and ParticipantsUpdated in one request"
    )
    callback_copies: int = option(1, "how often each callback is delivered")
    callback_attempts: int = option(4, "attempts to deliver a callback")
    callback_backoff: float = option(0.5, "before the second attempt; then it doubles")
    callback_delay: float = option(0.0, "before each callback")
    callback_digits: int = option(7, "most fraction digits of a callback's time")
    callbacks_lost: str = option(
        "",
        "callbacks that are lost: TYPE (all of them) or TYPE:2 (the first two)",
    )
    callbacks_late: str = option(
        "", "callbacks that come so many seconds late, holding up no other: TYPE:2.5"
    )
    callbacks_duplicated: str = option(
        "", "callbacks that are delivered again: TYPE (once more) or TYPE:2 (twice)"
    )
    callbacks_reordered: str = option(
        "", "callbacks that let the next one go first: TYPE, or TYPE:2 for the next two"
    )
    callbacks_batched: str = option(
        "", "callbacks that come in one request with the next one: TYPE"
    )
    eventgrid_copies: int = option(1, "how often IncomingCall is delivered")
    eventgrid_attempts: int = option(2, "attempts to deliver IncomingCall")

    def __post_init__(self) -> None:
        for each in fields(self):
            if each.name in PER_KIND:
                try:
                    per_kind(getattr(self, each.name), 1)
                except ValueError as exc:
                    raise OptionError(f"{each.name}: {exc}") from exc


@dataclass(frozen=True, kw_only=True)
class Settings(Options):
    """What the process is told at its start."""

    host: str = option("127.0.0.1", "address to listen on")
    port: int = option(8600, "port to listen on; 0 takes a free one")
    access_key: str = option(
        DEVELOPMENT_KEY, "base64 key that signs REST requests (default: a known one)"
    )
    resource_id: str = option(
        DEVELOPMENT_RESOURCE, "GUID of the resource: the audience of every token"
    )
    eventgrid_url: str = option("", "where Event Grid events are posted")
    eventgrid_wait: float = option(
        60.0, "wall seconds to try the Event Grid validation handshake"
    )
    audio: str = option("", "folder of WAV or FLAC files to speak, one per party")
    speed: float = option(1.0, "how many times faster than real time the clock runs")
    clock_skew: float = option(300.0, "largest error of x-ms-date, in seconds")
    heard_seconds: float = option(
        600.0, "how much of what the app says into a call is kept"
    )
    verify_tls: bool = option(True, "verify certificates of https and wss peers")
    rate_limit: float = option(
        0.0, "REST requests per second above which 429 is answered; 0: any number"
    )
    rooms: str = option(
        "",
        "ids of the rooms and group calls there are, separated by commas; connecting "
        "to another fails; none: there is any",
    )
    faults: str = option(
        "", "faults (below) of every call, as 'name=value; name=value'"
    )
    strict: bool = option(False, "exit with 3 if the app sent anything malformed")

    def __post_init__(self) -> None:
        if self.speed <= 0:
            raise OptionError("speed: must be more than 0")

    @property
    def audio_folder(self) -> Path | None:
        """Return the folder to speak from; None is the built-in conversation."""
        return Path(self.audio) if self.audio else None

    def topic(self) -> str:
        """Return the resource as Event Grid names it."""
        return (
            "/subscriptions/00000000-0000-0000-0000-000000000000/resourcegroups/"
            "emulated/providers/microsoft.communication/communicationservices/"
            f"{self.resource_id}"
        )
