"""What was said in words: drafts into rows."""

from collections.abc import Iterable

from calls.batches import storable
from calls.drafts import SegmentDraft
from calls.models import Call, TranscriptSegment

FIGURES = [
    "raw_id",
    "start_us",
    "duration_us",
    "text",
    "words",
    "confidence",
    "sentiment",
    "language",
    "is_cut",
    "raw",
]
LONGEST = 100_000


def segments_store(drafts: Iterable[SegmentDraft]) -> None:
    """Write pieces of transcripts; a later draft of one replaces it."""
    rows = {draft.id: _row(draft) for draft in drafts}
    if not rows:
        return
    TranscriptSegment.objects.bulk_create(
        rows.values(),
        update_conflicts=True,
        unique_fields=["id"],
        update_fields=FIGURES,
    )
    calls = {row.call_id for row in rows.values()}
    Call.objects.filter(pk__in=calls, has_transcript=False).update(has_transcript=True)


def _row(draft: SegmentDraft) -> TranscriptSegment:
    return TranscriptSegment(
        id=draft.id,
        call_id=draft.call_id,
        raw_id=storable(draft.raw_id, 255),
        source=draft.source,
        start_us=draft.start_us,
        duration_us=draft.duration_us,
        text=storable(draft.text, LONGEST),
        words=[[storable(text, 500), start, long] for text, start, long in draft.words],
        confidence=draft.confidence,
        sentiment=storable(draft.sentiment, 32),
        language=storable(draft.language, 35),
        is_cut=draft.is_cut,
        raw=dict(draft.raw),
    )
