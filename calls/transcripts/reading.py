"""A call's transcript as pages show it and files tell it.

Nothing here asks whether somebody may read it: who calls it does.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TypedDict
from uuid import UUID

from django.db.models import Min
from django.utils.translation import gettext as _

from calls import formats
from calls.models import Call, Participant, RecordingState, TranscriptSegment
from calls.selectors import player_origin_us
from calls.transcripts.asked import Asked, hits
from calls.transcripts.spoken import moment_us, pieces

# Of a snippet, around the first hit.
BEFORE, LONGEST = 60, 220


class SegmentJson(TypedDict):
    """What somebody said. `at` and `seconds` on the call's clock.

    `words`: what the text is made of, each with ms after `at` and ms it lasted.
    """

    id: str
    at: float
    seconds: float
    raw_id: str
    who: str
    words: list[tuple[str, int, int]]
    confidence: float | None
    sentiment: str
    language: str
    cut: bool


@dataclass(frozen=True, slots=True)
class Transcript:
    """The pieces of a call's transcript, oldest first, and the zero of its clock.

    `origin_us`: when the call's audio begins; None without audio, and then `zero_us` is
    when its oldest piece was said.
    """

    call: Call
    origin_us: int | None
    zero_us: int
    segments: list[TranscriptSegment]
    names: Mapping[str, str]
    # Whether there are older pieces, which were not asked for.
    has_older: bool = False

    def who(self, segment: TranscriptSegment) -> str:
        """Return who said it, for people."""
        return who_said(self.names, segment.raw_id)

    def seconds(self, segment: TranscriptSegment) -> float:
        """Return when it was said on the call's clock, never before its zero."""
        return max(segment.start_us - self.zero_us, 0) / 1e6

    def as_json(self) -> list[SegmentJson]:
        """Return the pieces as a page reads them."""
        return [
            {
                "id": str(one.pk),
                "at": round(self.seconds(one), 3),
                "seconds": round(one.duration_us / 1e6, 3),
                "raw_id": one.raw_id,
                "who": self.who(one),
                "words": [
                    (text, start // 1000, long // 1000)
                    for text, start, long in pieces(
                        one.text, one.words, one.duration_us
                    )
                ],
                "confidence": one.confidence,
                "sentiment": one.sentiment,
                "language": one.language,
                "cut": one.is_cut,
            }
            for one in self.segments
        ]


def who_said(names: Mapping[str, str], raw_id: str) -> str:
    """Return who that is, for people; nobody may have been named."""
    return formats.who(names.get(raw_id, ""), raw_id) or _("Somebody")


def transcript_of(call: Call, *, newest: int | None = None) -> Transcript:
    """Return a call's transcript, all of it or only so many of its newest pieces.

    By three queries, and one more if it has no audio.
    """
    rows = call.segments.all().order_by("-start_us", "-pk")
    found = list(rows if newest is None else rows[: newest + 1])
    verified = call.recordings.filter(state=RecordingState.VERIFIED)
    people = call.participants.values_list("raw_id", "display_name")
    heard = list(verified.only("origin_us"))
    has_audio = bool(heard) or call.origin_us is not None
    origin_us = player_origin_us(call, heard) if has_audio else None
    return Transcript(
        call=call,
        origin_us=origin_us,
        zero_us=said_from_us([call.pk]).get(call.pk, 0)
        if origin_us is None
        else origin_us,
        segments=found[:newest][::-1],
        names=dict(people),
        has_older=len(found) > len(found[:newest]),
    )


def said_from_us(calls: Iterable[UUID]) -> dict[UUID, int]:
    """Return when the oldest piece of each call was said, by one query."""
    rows = TranscriptSegment.objects.filter(call__in=list(calls)).order_by()
    return dict(
        rows.values("call").annotate(at=Min("start_us")).values_list("call", "at")
    )


@dataclass(frozen=True, slots=True)
class Found:
    """A piece that a search found: who said it, when, and the words around."""

    segment: TranscriptSegment
    who: str
    # On the call's clock, of the first word that was asked for.
    seconds: float
    # A part of the text, and whether it is what was asked for.
    parts: list[tuple[str, bool]]

    @property
    def at(self) -> str:
        """Return the moment as a link to it has it."""
        return f"{self.seconds:.2f}"

    @property
    def call(self) -> Call:
        """Return the call it was said in."""
        return self.segment.call


def found_of(rows: Iterable[TranscriptSegment], asked: Asked) -> list[Found]:
    """Return what a search found as its page shows it, by one query more.

    By two if it found anything in calls without audio.
    """
    segments = list(rows)
    mute = {one.call_id for one in segments if one.call.origin_us is None}
    zeros = said_from_us(mute) if mute else {}
    calls = {one.call_id for one in segments}
    people = Participant.objects.filter(call_id__in=calls)
    names = {
        (call, raw_id): name
        for call, raw_id, name in people.values_list("call", "raw_id", "display_name")
    }
    return [
        Found(
            segment=one,
            who=who_said(
                {one.raw_id: names.get((one.call_id, one.raw_id), "")}, one.raw_id
            ),
            seconds=_moment(one, asked, zeros),
            parts=snippet(one.text, asked),
        )
        for one in segments
    ]


def _moment(
    segment: TranscriptSegment, asked: Asked, zeros: Mapping[UUID, int]
) -> float:
    spans = hits(segment.text, asked)
    told = pieces(segment.text, segment.words, segment.duration_us)
    after = moment_us(told, spans[0][0]) if spans else 0
    zero = segment.call.origin_us
    if zero is None:
        zero = zeros.get(segment.call_id, segment.start_us)
    return max(segment.start_us - zero + after, 0) / 1e6


def snippet(text: str, asked: Asked) -> list[tuple[str, bool]]:
    """Return a text around the first hit, in parts; not longer than a few lines."""
    spans = hits(text, asked)
    first = max(spans[0][0] - BEFORE, 0) if spans else 0
    last = min(first + LONGEST, len(text))
    parts = [("…", False)] if first else []
    at = first
    for begin, end in spans:
        if end > last:
            break
        parts += [(text[at:begin], False), (text[begin:end], True)]
        at = end
    parts.append((text[at:last], False))
    if last < len(text):
        parts.append(("…", False))
    return [part for part in parts if part[0]]
