"""Transcripts on pages: for those who may read them, and for nobody else."""

import io
import zipfile
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.contrib.auth.models import Permission
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.utils import timezone

from calls.audit.words import sentence
from calls.models import AuditAction, AuditEntry, Call, SavedView
from calls.transcripts import views as transcript_views
from tests.console.conftest import logged_in, stored_recording
from tests.factories import (
    CallFactory,
    ParticipantFactory,
    SegmentFactory,
    UserFactory,
)

pytestmark = [pytest.mark.database, pytest.mark.django_db]

LIST = "/admin/calls/call/"
SAID = f"{LIST}said/"


@pytest.fixture
def call() -> Call:
    call: Call = CallFactory.create(ended=True, has_transcript=True)
    ParticipantFactory.create(
        call=call, raw_id=call.from_raw_id, display_name="Ada Okafor"
    )
    SegmentFactory.create(call=call)
    return call


@pytest.fixture
def deaf(db: None) -> Client:
    """A browser of somebody who may see and do nearly all, but not read transcripts."""
    user = UserFactory.create()
    user.user_permissions.set(
        Permission.objects.filter(content_type__app_label="calls").exclude(
            codename="read_transcript"
        )
    )
    return logged_in(user)


def addresses(call: Call) -> list[str]:
    return [
        f"/calls/{call.pk}/transcript/page.json",
        *(
            f"/calls/{call.pk}/transcript.{form}"
            for form in ("vtt", "srt", "txt", "json")
        ),
        f"{SAID}?q=refund",
    ]


def at(call: Call, seconds: int) -> int:
    return (call.origin_us or 0) + seconds * 1_000_000


def notes() -> list[str]:
    rows = AuditEntry.objects.filter(action=AuditAction.TRANSCRIPT_READ)
    return [sentence(entry) for entry in rows.order_by("pk")]


def test_the_page_tells_of_older_pieces_it_leaves_out_and_files_have_all(
    auditor: Client, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = auditor.get(addresses(call)[0]).json()
    SegmentFactory.create(call=call, text="And thanks.", start_us=at(call, 5))
    monkeypatch.setattr(transcript_views, "MOST", 1)

    page = auditor.get(addresses(call)[0]).json()
    lines = auditor.get(f"/calls/{call.pk}/transcript.txt").content.splitlines()

    assert (len(whole["segments"]), whole["older"]) == (1, False)
    assert (len(page["segments"]), page["older"]) == (1, True)
    assert len(lines) == 2


def test_the_page_gets_who_said_what_and_when(auditor: Client, call: Call) -> None:
    [segment] = auditor.get(addresses(call)[0]).json()["segments"]

    assert (segment["who"], segment["at"]) == ("Ada Okafor", 1.0)
    assert segment["words"][:2] == [["I ", 0, 300], ["would ", 300, 300]]
    assert "".join(text for text, *_ in segment["words"]).endswith("a refund, please.")


def test_a_running_call_s_page_can_ask_for_the_newest_pieces(
    auditor: Client, call: Call
) -> None:
    newer = SegmentFactory.create(call=call, start_us=at(call, 9))

    found = auditor.get(f"{addresses(call)[0]}?newest=1").json()["segments"]

    assert [one["id"] for one in found] == [str(newer.pk)]


def test_nobody_reads_what_they_may_not(deaf: Client, call: Call) -> None:
    statuses = [deaf.get(address).status_code for address in addresses(call)]
    page = deaf.get(f"{LIST}{call.pk}/change/").content.decode()

    assert statuses == [403] * 6
    assert "You may not read it" in page
    assert "transcript.js" not in page
    assert notes() == []


def test_who_may_not_read_cannot_infer_words_from_the_archive(
    deaf: Client, auditor: Client, call: Call
) -> None:
    CallFactory.create(ended=True)
    view = SavedView.objects.create(
        name="Refunds", owner=UserFactory.create(), query="said=refund", is_shared=True
    )
    queries = ("?said=refund", f"?said=refund&view={view.pk}", "?said=nonsense")

    seen = [deaf.get(f"{LIST}{query}").context["cl"].result_count for query in queries]

    assert seen == [2, 2, 2]
    assert auditor.get(f"{LIST}?said=refund").context["cl"].result_count == 1
    assert 'name="said"' not in deaf.get(f"{LIST}?view=all").content.decode()
    assert 'name="said"' in auditor.get(f"{LIST}?view=all").content.decode()


def test_the_archive_finds_calls_by_words_beside_other_filters(
    auditor: Client, call: Call
) -> None:
    old = CallFactory.create(ended=True, rang_at=timezone.now() - timedelta(days=90))
    SegmentFactory.create(call=old)

    def found(query: str) -> list[Any]:
        listed = auditor.get(f"{LIST}?{query}").context["cl"]
        return [one.pk for one in listed.result_list]

    assert found("said=refund") == [call.pk, old.pk]
    assert found("said=refund&when=7") == [call.pk]
    assert found("said=refund+-please") == found("said=-please") == []


def test_calls_with_a_common_word_are_counted_up_to_a_limit(
    auditor: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("calls.transcripts.search.RARE", 2)
    monkeypatch.setattr("calls.transcripts.search.MOST_CALLS", 2)
    for _ in range(3):
        SegmentFactory.create()

    listed = auditor.get(f"{LIST}?said=refund").context["cl"]

    # SQLite's archives are small: there all are counted.
    told = {"postgresql": "more than 2", "sqlite": "3"}[connection.vendor]
    assert listed.paginator.total_words == told


def test_a_found_piece_is_shown_as_text_and_leads_to_its_moment(
    auditor: Client, call: Call
) -> None:
    text = "<script>alert(1)</script> and the <b>refund</b>"
    SegmentFactory.create(call=call, text=text, words=[["refund", 2_500_000, 300_000]])

    page = auditor.get(f"{SAID}?q=refund+alert").content.decode()

    assert "&lt;b&gt;<mark>refund</mark>&lt;/b&gt;" in page
    assert "<script>alert" not in page
    assert f"/{call.pk}/change/?t=3.50#words=refund%20alert" in page
    assert "Ada Okafor" in page


def test_long_lists_of_what_was_said_have_pages(auditor: Client, call: Call) -> None:
    for number in range(30):
        SegmentFactory.create(call=call, start_us=at(call, number))

    first = auditor.get(f"{SAID}?q=refund")
    second = auditor.get(f"{SAID}?q=refund&p=2")

    assert [len(one.context["found"]) for one in (first, second)] == [25, 6]
    assert first.context["found"][0].seconds > second.context["found"][0].seconds


def test_who_read_searched_and_exported_is_on_the_audit_log(
    auditor: Client, call: Call
) -> None:
    for _ in range(2):
        for address in (*addresses(call), f"{LIST}?said=refund"):
            auditor.get(address)

    assert notes()[:7] == [
        "read the call's transcript",
        "exported the call's transcript as VTT",
        "exported the call's transcript as SRT",
        "exported the call's transcript as TXT",
        "exported the call's transcript as JSON",
        "searched transcripts for “refund”",
        # Reading on is noted once, every file that leaves each time.
        "exported the call's transcript as VTT",
    ]
    assert len(notes()) == 10


def test_the_zip_of_a_call_has_the_transcript_for_who_may_read_it(
    operator: Client, deaf: Client, call: Call
) -> None:
    stored_recording(np.zeros(16_000, np.int16), call=call, track=None)

    def texts(client: Client) -> list[str]:
        answer: Any = client.get(f"/calls/{call.pk}/everything.zip")
        with zipfile.ZipFile(io.BytesIO(b"".join(answer.streaming_content))) as kept:
            return [
                kept.read(name).decode()
                for name in kept.namelist()
                if "_transcript." in name
            ]

    assert [("refund" in text) for text in texts(operator)] == [True] * 4
    assert notes() == ["exported the call's transcript as ZIP"]
    assert texts(deaf) == []


def test_a_call_is_exported_as_files_without_the_console(
    call: Call, tmp_path: Path
) -> None:
    call_command("export_call", str(call.pk), tmp_path, verbosity=0)

    names = {path.name.split("_")[-1] for path in tmp_path.glob("*/*")}
    assert names >= {"transcript.vtt", "transcript.json", "timeline.json"}
    with pytest.raises(CommandError, match="already"):
        call_command("export_call", str(call.pk), tmp_path)


def test_a_page_of_thousands_of_pieces_asks_a_handful_of_questions(
    auditor: Client, call: Call, django_assert_max_num_queries: Any
) -> None:
    for number in range(40):
        SegmentFactory.create(call=call, raw_id=f"8:acs:{number}")

    with django_assert_max_num_queries(12):
        auditor.get(addresses(call)[0])
    with django_assert_max_num_queries(12):
        auditor.get(f"{SAID}?q=refund")
