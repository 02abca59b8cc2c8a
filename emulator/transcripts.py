"""What transcription tells of a call: which words, when, and in which JSON."""

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from typing import Any

from emulator.calls import Plan, TranscriptionOptions
from emulator.clock import FRAME_SECONDS
from emulator.lines import Line
from emulator.options import Behaviour
from emulator.speech import Speech

TICKS = 10_000_000
"""Offsets count units of 100 ns."""
EPOCH_TICKS = 621_355_968_000_000_000
"""1970 in such units since the year 1."""
LAST_TICKS = 3_155_378_975_999_999_999
"""The last moment that .NET knows."""
WORDS_AT_ONCE = 3
"""So many more words are in each intermediate result."""
HEARING_SECONDS = 0.2
"""From the end of a word to an intermediate result that has it."""
SENTIMENTS = ("neutral", "positive", "negative")


@dataclass(frozen=True, slots=True, order=True)
class Hearing:
    """Something to be told `at` seconds of the call: a line, or its first words."""

    at: float
    began: float
    raw_id: str
    line: Line = field(compare=False)
    words: int | None = None
    """How many words are known by then; None: the line is final."""

    @property
    def text(self) -> str:
        """Return what is told."""
        if self.words is None:
            return self.line.text
        return " ".join(word.text for word in self.line.words[: self.words])


def hearings(
    plan: Plan, speech: Speech, after: float, *, intermediate: bool
) -> Iterator[Hearing]:
    """Yield what is heard of lines that begin after a second of the call, in order."""
    total = round(speech.seconds / FRAME_SECONDS + 0.4999) * FRAME_SECONDS
    first = int(after // total)
    for cycle in count(first) if plan.loop else range(first, 2):
        found: list[Hearing] = []
        for began, raw_id, line in _lines(plan, speech, total, cycle):
            if began >= after:
                found += _of_line(plan, began, raw_id, line, intermediate=intermediate)
        yield from sorted(found)
        if not any(speech.lines):
            return


def _lines(
    plan: Plan, speech: Speech, total: float, cycle: int
) -> Iterator[tuple[float, str, Line]]:
    """Yield every line once: when it begins in the call, who says it, and the line."""
    offset = round(plan.offset / FRAME_SECONDS)
    for index, raw_id in enumerate(plan.participants):
        party, shift = speech.part(
            plan.first_party + index, again=index // speech.parties
        )
        lead = (offset + shift) * FRAME_SECONDS
        for line in speech.lines[party]:
            began = line.at - lead
            if plan.loop:
                began %= total
            if plan.loop or cycle == 0:
                yield began + cycle * total, raw_id, line


def _of_line(
    plan: Plan, began: float, raw_id: str, line: Line, *, intermediate: bool
) -> Iterator[Hearing]:
    if plan.faults.is_dead(int(began / FRAME_SECONDS)):
        return
    words = range(WORDS_AT_ONCE, len(line.words), WORDS_AT_ONCE) if intermediate else ()
    for known in words:
        word = line.words[known - 1]
        heard = word.at - line.at + word.seconds + HEARING_SECONDS
        yield Hearing(began + heard, began, raw_id, line, known)
    told = began + line.seconds + plan.behaviour.transcript_delay
    yield Hearing(told, began, raw_id, line)


@dataclass(slots=True)
class Told:
    """What was sent, for the control API. Written is not read: see `SocketRecord`."""

    finals: int = 0
    intermediates: int = 0
    malformed: int = 0
    pieces: list[dict[str, Any]] = field(default_factory=list)
    _digest: Any = field(default_factory=hashlib.sha256)

    def take(self, heard: Hearing, captured_at: datetime) -> None:
        """Take note of a message that was written to the socket."""
        if heard.words is not None:
            self.intermediates += 1
            return
        self.finals += 1
        self._digest.update(f"{heard.raw_id}\t{heard.line.text}\n".encode())
        self.pieces.append(
            {
                "raw_id": heard.raw_id,
                "text": heard.line.text,
                "captured_at": captured_at.isoformat(),
                "seconds": heard.line.seconds,
            }
        )

    def report(self) -> dict[str, Any]:
        """Return the figures. `sha256` is of `raw id, tab, text, line feed` each."""
        return {
            "finals": self.finals,
            "intermediates": self.intermediates,
            "malformed": self.malformed,
            "sha256": self._digest.hexdigest(),
            "pieces": self.pieces,
        }


class TranscriptWriter:
    """Writes the messages of one transcription, by hand."""

    def __init__(
        self,
        plan: Plan,
        options: TranscriptionOptions,
        ids: dict[str, str],
        captured: Callable[[float], datetime],
    ) -> None:
        """`captured` tells when a second of the call was captured."""
        self._behaviour: Behaviour = plan.behaviour
        self._faults = plan.faults
        self._options = options
        self._ids = ids
        self._captured = captured
        self.began = 0.0
        """The second of the call from which small offsets count."""

    def metadata(self, subscription_id: str, locale: str) -> str:
        """Return the first message of a transcription, and of each language."""
        body: dict[str, Any] = {
            "subscriptionId": subscription_id,
            "locale": locale,
            "callConnectionId": self._ids["callConnectionId"],
            "correlationId": self._ids["correlationId"],
            "speechModelEndpointId": None,
            "locales": [],
            "enableSentimentAnalysis": True,
            "piiRedactionOptions": {"enable": False, "redactionType": None},
        }
        return _message("TranscriptionMetadata", "transcriptionMetadata", body)

    def piece(self, heard: Hearing, locale: str) -> str:
        """Return one result."""
        is_final, line = heard.words is None, heard.line
        body: dict[str, Any] = {
            "text": heard.text,
            "format": self._enum("display"),
            "offset": self._ticks(heard.began),
            "duration": self._duration(heard),
            "participantRawID": heard.raw_id,
            "resultStatus": self._enum("Final" if is_final else "Intermediate"),
        }
        if is_final:
            if self._faults.transcript_confidence == "sent":
                # The same line has the same, as if it were heard alike each time.
                share = hashlib.sha256(line.text.encode()).digest()[0] / 255
                body["confidence"] = round(0.75 + share / 5, 6)
            body |= self._words(heard)
            mood = hashlib.sha256(line.text.encode()).digest()[1] % len(SENTIMENTS)
            body["sentimentAnalysisResult"] = {"sentiment": SENTIMENTS[mood]}
            body["languageIdentified"] = locale
        return _message("TranscriptionData", "transcriptionData", body)

    def _words(self, heard: Hearing) -> dict[str, Any]:
        line = heard.line
        odd: dict[str, dict[str, Any]] = {
            "missing": {},
            "null": {"words": None},
            "empty": {"words": []},
        }
        if (spelt := self._faults.transcript_words) != "sent":
            return dict(odd[spelt])
        return {
            "words": [
                {
                    "text": word.text,
                    "offset": self._ticks(heard.began + word.at - line.at),
                    "duration": round(word.seconds * TICKS),
                }
                for word in line.words
            ]
        }

    def _duration(self, heard: Hearing) -> int:
        line = heard.line
        if heard.words is None:
            return round(line.seconds * TICKS)
        last = line.words[heard.words - 1]
        return round((last.at + last.seconds - line.at) * TICKS)

    def _ticks(self, second: float) -> int:
        """Return a second of the call as the service writes it."""
        if self._behaviour.transcript_offsets == "relative":
            return round((second - self.began) * TICKS)
        at = self._captured(second) - datetime(1970, 1, 1, tzinfo=UTC)
        micro = (at.days * 86_400 + at.seconds) * 1_000_000 + at.microseconds
        date = EPOCH_TICKS + micro * 10
        upright = self._behaviour.transcript_offsets == "date"
        return date if upright else LAST_TICKS - date

    def _enum(self, word: str) -> str:
        spelt = {"lower": word.lower(), "upper": word.upper()}
        return spelt.get(self._faults.transcript_enums, word)


def _message(kind: str, member: str, body: dict[str, Any]) -> str:
    return json.dumps({"kind": kind, member: body}, separators=(",", ":"))
