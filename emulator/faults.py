"""What goes wrong on purpose in one call."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

from emulator.clock import FRAME_SECONDS
from emulator.options import OptionError, Options, option
from emulator.restfaults import OPERATIONS, FaultError, parse_rest_faults
from emulator.tokens import FAULTS as TOKEN_FAULTS

Extra = tuple[bytes, bool]
"""A message that carries no audio, and whether it is sent as a binary frame."""


@dataclass(frozen=True, kw_only=True)
class Faults(Options):
    """The faults of a call. Numbers say *in every n-th slot*; 0 is never."""

    bad_base64: int = option(0, "packets whose data is not base64 (spoilt)")
    odd_bytes: int = option(0, "packets with an odd number of bytes (spoilt)")
    truncated: int = option(0, "packets cut in half: not JSON (spoilt)")
    gap: int = option(0, "slots of which nothing is sent, gap_packets at a time")
    gap_packets: int = option(5, "length of such a gap, in slots")
    stall_from: float = option(0.0, "second of the call from which nothing is sent")
    stall_seconds: float = option(0.0, "for so long; the socket stays open")
    dead_from: float = option(0.0, "second of the call from which nobody says a word")
    dead_seconds: float = option(0.0, "for so long; silent packets are sent")
    unheard: int = option(
        0, "the participant of this place, from 1, sends nothing but silence"
    )
    quieter_db: float = option(0.0, "everybody speaks quieter by so many dB")
    louder_db: float = option(0.0, "everybody speaks louder by so many dB, cut off")
    swap: int = option(0, "slots sent after the slot that follows them")
    duplicate: int = option(0, "packets sent twice")
    unknown_kind: int = option(0, "a message of an unknown kind more")
    not_json: int = option(0, "a message that is not JSON more")
    binary: int = option(0, "a binary frame more")
    oversize: int = option(0, "a message of oversize_bytes more")
    oversize_bytes: int = option(100_000, "size of such a message")
    repeat_metadata: int = option(0, "AudioMetadata once more")
    metadata: str = option(
        "sent",
        "AudioMetadata is sent, missing, or sent after the first packets",
        ("sent", "missing", "late"),
    )
    jitter_ms: int = option(0, "packets are held back by up to so much, in order")
    burst: int = option(1, "packets of so many slots are sent at once")
    participant_spelling: str = option(
        "participantRawID",
        "how the member is spelt",
        ("participantRawID", "participantRawId", "participantId"),
    )
    silent_member: str = option(
        "sent", "the member silent is sent or missing", ("sent", "missing")
    )
    token: str = option("", "what is wrong with the socket's token", TOKEN_FAULTS)
    callback_token: str = option(
        "", "what is wrong with the callbacks' tokens", TOKEN_FAULTS
    )
    streaming: str = option(
        "works",
        "every start fails with this sub-code; is accepted and never happens; or "
        "opens a socket on which no audio comes",
        ("works", "8581", "8603", "never", "silent"),
    )
    stop: str = option(
        "works", "every stop is accepted and never happens", ("works", "never")
    )
    transcription: str = option(
        "works",
        "every start of transcription fails with this sub-code, or never happens",
        ("works", "8581", "never"),
    )
    recognition: str = option(
        "works",
        "of every tone it is told only that it failed; or recognition is accepted and "
        "never happens",
        ("works", "fails", "never"),
    )
    transcript_stop_after: float = option(
        0.0, "seconds of transcription after which no text comes; the socket stays open"
    )
    transcript_drop_after: float = option(
        0.0, "seconds after which each transcription socket breaks (1006)"
    )
    transcript_retells: int = option(
        0, "after a redial so many of the last final results are told again"
    )
    transcript_words: str = option(
        "sent",
        "the member words of final results",
        ("sent", "missing", "null", "empty"),
    )
    transcript_confidence: str = option(
        "sent", "the member confidence is sent or missing", ("sent", "missing")
    )
    transcript_enums: str = option(
        "documented",
        "how display, Final and Intermediate are spelt",
        ("documented", "lower", "upper"),
    )
    transcript_malformed: int = option(
        0, "before every n-th result one that is no message"
    )
    slow_reader_ms: int = option(0, "pause after each message read from the app")
    answer: str = option(
        "connected",
        "failed: the call is never connected (AnswerFailed, CreateCallFailed, "
        "ConnectFailed)",
        ("connected", "failed"),
    )
    unanswered: str = option(
        "",
        "raw ids that never answer when the app calls, adds or transfers to them, "
        "separated by commas; * is everybody",
    )
    ends_during: str = option(
        "",
        "the caller hangs up when a request arrives, as OPERATION:before (its effect: "
        "404) or OPERATION:after (it was accepted)",
    )
    rest: str = option(
        "", "how REST requests about the call go wrong: see REST requests that go wrong"
    )

    def __post_init__(self) -> None:
        operation, _, when = self.ends_during.partition(":")
        if self.ends_during and (
            operation not in OPERATIONS or when not in ("before", "after")
        ):
            raise OptionError("ends_during: must be OPERATION:before or :after")
        try:
            parse_rest_faults(self.rest)
        except FaultError as exc:
            raise OptionError(f"rest: {exc}") from exc

    @classmethod
    def parse_text(cls, text: str) -> Self:
        """Return faults written as `name=value; name=value`. Raises OptionError."""
        values = {}
        for each in filter(None, (part.strip() for part in text.split(";"))):
            name, _, value = each.partition("=")
            values[name.strip()] = value.strip()
        return cls.parse(values)

    def ends(self, operation: str) -> str:
        """Return when the caller hangs up on a request: before, after or never ("")."""
        named, _, when = self.ends_during.partition(":")
        return when if named == operation else ""

    def answers(self, raw_id: str) -> bool:
        """Return whether somebody the app calls would answer."""
        never = [each.strip() for each in self.unanswered.split(",")]
        return "*" not in never and raw_id not in never

    def loses(self, slot: int) -> bool:
        """Return whether nothing is sent of a slot."""
        if _within(slot, self.stall_from, self.stall_seconds):
            return True
        return bool(self.gap) and slot % self.gap >= self.gap - self.gap_packets

    def is_dead(self, slot: int) -> bool:
        """Return whether nobody says a word in a slot."""
        return _within(slot, self.dead_from, self.dead_seconds)

    @property
    def gain_db(self) -> float:
        """Return by how much everybody speaks louder; below 0, quieter."""
        return self.louder_db - self.quieter_db

    def spoils(self, slot: int) -> bool:
        """Return whether the packets of a slot are spoilt."""
        each = (self.bad_base64, self.odd_bytes, self.truncated)
        return any(_hits(number, slot) for number in each)

    def spoil(self, slot: int, message: bytes) -> bytes:
        """Return a packet as it is sent when its slot is spoilt."""
        before, opening, after = message.partition(b'"data":"')
        if _hits(self.bad_base64, slot):
            return before + opening + b"!" + after
        if _hits(self.odd_bytes, slot):
            # Four characters are three bytes.
            return before + opening + after[4:]
        return message[: len(message) // 2]

    def swaps(self, slot: int) -> bool:
        """Return whether a slot is sent after the one that follows it."""
        return _hits(self.swap, slot)

    def duplicates(self, slot: int) -> bool:
        """Return whether a slot's packets are sent twice."""
        return _hits(self.duplicate, slot)

    def released_by(self, slot: int) -> int:
        """Return the slot whose completion lets a slot be sent."""
        burst = max(1, self.burst)
        return max(slot - slot % burst + burst - 1, slot + self.swaps(slot))

    def held_back(self) -> float:
        """Return for how many seconds the next packets are held back."""
        return random.random() * self.jitter_ms / 1000  # noqa: S311 - not a secret

    def extras(self, slot: int, metadata: bytes) -> Iterator[Extra]:
        """Return the messages that are sent before a slot's packets."""
        if _hits(self.repeat_metadata, slot):
            yield metadata, False
        if _hits(self.unknown_kind, slot):
            yield b'{"kind":"WeatherData","weatherData":{"sky":"clear"}}', False
        if _hits(self.not_json, slot):
            yield b"Connection authenticated.", False
        if _hits(self.binary, slot):
            yield bytes(range(256)), True
        if _hits(self.oversize, slot):
            filler = b"x" * max(0, self.oversize_bytes - 40)
            yield b'{"kind":"Filler","filler":{"data":"%s"}}' % filler, False


def _within(slot: int, start: float, seconds: float) -> bool:
    return seconds > 0 and start <= slot * FRAME_SECONDS < start + seconds


def _hits(number: int, slot: int) -> bool:
    return number > 0 and slot % number == number - 1
