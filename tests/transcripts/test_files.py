"""Transcripts as files, which other programs read."""

import json
from typing import Any

import pytest

from calls.models import Call
from calls.transcripts.asked import asked_of
from calls.transcripts.files import FORMS, files_of
from calls.transcripts.reading import found_of, transcript_of
from tests.factories import CallFactory, ParticipantFactory, SegmentFactory

pytestmark = [pytest.mark.database, pytest.mark.django_db]

ORIGIN = 1_764_000_000_000_000


@pytest.fixture
def call() -> Call:
    call: Call = CallFactory.create(
        ended=True, origin_us=ORIGIN, from_raw_id="4:+12065550100"
    )
    ParticipantFactory.create(
        call=call, raw_id=call.from_raw_id, display_name="Ada <b> & co"
    )
    return call


def said(call: Call, text: str, at: float, **fields: Any) -> None:
    start_us = ORIGIN + round(at * 1e6)
    SegmentFactory.create(call=call, text=text, start_us=start_us, **fields)


def made(call: Call, form: str) -> str:
    return FORMS[form][1](transcript_of(call))


def test_vtt_escapes_what_would_be_markup_and_names_the_voice(call: Call) -> None:
    said(call, "a --> <v Eve> &amp;\n\nb", 3661.5, duration_us=2_250_000)

    assert made(call, "vtt") == (
        "WEBVTT\n\n01:01:01.500 --> 01:01:03.750\n"
        "<v Ada &lt;b&gt; &amp; co>a --&gt; &lt;v Eve&gt; &amp;amp; b\n"
    )


def test_srt_numbers_its_cues_and_has_no_arrow_in_a_text(call: Call) -> None:
    said(call, "one --> two", 0, duration_us=0)
    said(call, "cut", 2, duration_us=999_999, is_cut=True, raw_id="")

    assert made(call, "srt") == (
        "1\n00:00:00,000 --> 00:00:01,000\nAda <b> & co: one → two\n\n"
        "2\n00:00:02,000 --> 00:00:03,000\nSomebody: cut (interrupted)\n"
    )


def test_txt_is_a_line_for_each_piece_in_order_of_time(call: Call) -> None:
    said(call, "later\nstill", 65)
    said(call, "before the first packet", -3)

    assert made(call, "txt") == (
        "[0:00] Ada <b> & co: before the first packet\n"
        "[1:05] Ada <b> & co: later still\n"
    )


def test_json_has_everything_and_no_number_that_readers_round(call: Call) -> None:
    raw = {"offset": 2**53 + 1, "duration": "638987654321098765", "small": 2**53}
    said(call, "Ja, bitte.", 1.000001, raw=raw, confidence=0.5, language="de-DE")

    [segment] = json.loads(made(call, "json"))["segments"]

    assert segment["told"] == {
        "offset": "9007199254740993",
        "duration": "638987654321098765",
        "small": 2**53,
    }
    assert (segment["start_us"], segment["offset_us"]) == (
        ORIGIN + 1_000_001,
        1_000_001,
    )
    assert segment["words"][1] == {
        "text": "bitte",
        "offset_us": 300_000,
        "duration_us": 300_000,
    }
    assert (segment["text"], segment["language"]) == ("Ja, bitte.", "de-DE")


def test_without_audio_moments_count_from_the_oldest_piece() -> None:
    call: Call = CallFactory.create(ended=True, origin_us=None)
    said(call, "First", 0)
    said(call, "and last", 65)

    assert made(call, "txt").splitlines()[1].startswith("[1:05] ")
    [newest] = transcript_of(call, newest=1).as_json()
    document = json.loads(made(call, "json"))
    [hit] = found_of(call.segments.filter(text="and last"), asked_of("last"))

    assert (newest["at"], hit.seconds) == (65, 65.3)
    assert document["clock"] == {"origin": None, "origin_us": None}
    assert document["segments"][1]["offset_us"] == 65_000_000


def test_a_call_without_a_transcript_has_no_files(call: Call) -> None:
    assert files_of(transcript_of(call)) == {}
