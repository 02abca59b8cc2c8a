"""Words that were said are found, the same on both databases."""

from uuid import uuid4

import pytest

from calls.drafts import SegmentDraft
from calls.models import Call, TranscriptSegment
from calls.transcripts.asked import asked_of, hits
from calls.transcripts.search import calls_saying, newest_saying, segments_saying
from calls.transcripts.segments import segments_store
from tests.factories import CallFactory, SegmentFactory

pytestmark = [pytest.mark.database, pytest.mark.django_db]

SAID = "“Well”—I'd like a Refund of 12.50 for invoice 555-0100, thank you…"


def finds(query: str) -> bool:
    return segments_saying(asked_of(query)).exists()


@pytest.mark.parametrize(
    ("query", "is_found"),
    [
        ("refund", True),
        ("REFUND", True),
        ("refun", False),
        ("refun*", True),
        ("fund", False),
        ("well", True),
        ("i'd", True),
        ("0100", True),
        ("555-0100", True),
        ("12.50", True),
        ("you", True),
        ("refund invoice", True),
        ("refund cheque", False),
        ('"like a refund"', True),
        ('"a like refund"', False),
        ('"thank y"*', True),
        ("refund -cheque", True),
        ("refund -invoice", False),
        ("refund -cheque -invoice", False),
        ('refund -"thank you"', False),
        ('refund -"you thank"', True),
        ("-cheque", False),
        ("", False),
        ("… “”", False),
        ('"', False),
        ("refund'; DROP TABLE x; --", False),
        ("AND OR NOT", False),
        ("text:refund", False),
    ],
)
def test_finds_words_phrases_beginnings_and_not(query: str, *, is_found: bool) -> None:
    SegmentFactory.create(text=SAID)

    assert finds(query) is is_found


@pytest.mark.parametrize(
    ("said", "query"),
    [
        ("Das wäre für Müller zu früh", "müller"),
        ("«Où est la gare ?»", "où gare"),
        ("今日は。予約をお願いします", "今日は"),
        ("मुझे पैसे वापस चाहिए", "पैसे"),
        ("Добрый день", "день"),
    ],
)
def test_finds_words_of_any_language(said: str, query: str) -> None:
    SegmentFactory.create(text=said)

    assert finds(query)
    assert not finds(f"{query} nothing")


def draft(call: Call, text: str, **fields: object) -> SegmentDraft:
    known = {"id": uuid4(), "raw_id": "", "source": "acs", "start_us": 1}
    return SegmentDraft(call_id=call.pk, text=text, duration_us=1, **known | fields)  # type: ignore[arg-type] # any fields


def test_the_index_follows_what_is_told_again_and_what_goes() -> None:
    call = CallFactory.create(ended=True)
    first = draft(call, "the first guess")
    segments_store([first, draft(call, "something else")])

    segments_store([draft(call, "better words", id=first.id)])

    assert (finds("guess"), finds("better"), finds("else")) == (False, True, True)
    TranscriptSegment.objects.filter(pk=first.id).delete()
    assert (finds("better"), finds("else")) == (False, True)
    call.delete()
    assert not finds("else")


def test_calls_are_found_whether_a_word_is_rare_or_common(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    said, silent = CallFactory.create(ended=True), CallFactory.create(ended=True)
    SegmentFactory.create(call=said, text="common words")
    SegmentFactory.create(call=said, text="common words again")
    SegmentFactory.create(call=silent, text="nothing of it")

    rare, _ = calls_saying(Call.objects.all(), asked_of("common"))
    monkeypatch.setattr("calls.transcripts.search.RARE", 1)
    common, _ = calls_saying(Call.objects.all(), asked_of("common"))

    assert list(rare) == list(common) == [said]


def test_the_newest_pieces_are_found_whether_they_are_all_or_not() -> None:
    call = CallFactory.create(ended=True)
    rows = [SegmentFactory.create(call=call, start_us=at) for at in (3, 1, 2)]
    newest_first = [(3, rows[0].pk), (2, rows[2].pk), (1, rows[1].pk)]

    assert newest_saying(asked_of("refund"), 3) == (newest_first, False)
    assert newest_saying(asked_of("refund"), 2) == (newest_first[:2], True)
    assert newest_saying(asked_of("-refund"), 2) == ([], False)


def test_what_was_asked_for_is_marked_as_it_was_found() -> None:
    text = "A refund? Refunds take days; a refund, thank you."

    marked = [text[a:b] for a, b in hits(text, asked_of('refund "thank you" day*'))]

    assert marked == ["refund", "days", "refund", "thank you"]
