"""The timeline as a file, over HTTP and on the terminal, as documented."""

import io
import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from calls import history
from calls.history import EntryKind
from calls.management.commands.timeline import Command
from calls.models import AuditAction, AuditEntry, Call
from tests.factories import CallFactory, CommandFactory, EventFactory, UserFactory

pytestmark = [pytest.mark.database, pytest.mark.django_db]

DOCUMENT = Path(__file__).parents[2] / "docs" / "timeline.md"
TYPES: dict[str, tuple[type, ...]] = {
    "number": (int, float),
    "string": (str,),
    "object": (dict,),
    "array": (list,),
    "null": (type(None),),
    "boolean": (bool,),
}


def documented(name: str) -> dict[str, tuple[type, ...]]:
    """Return the members of a table of the document, with the types they may have."""
    text = DOCUMENT.read_text(encoding="utf-8")
    found = re.search(rf"<!-- {name}:begin -->(.*?)<!-- {name}:end -->", text, re.S)
    assert found, name
    rows = re.findall(r"^\| `(\w+)` \| ([^|]+) \|", found[1], re.M)
    return {
        member: tuple(kind for word in types.split(" or ") for kind in TYPES[word])
        for member, types in ((member, types.strip()) for member, types in rows)
    }


def assert_as_documented(part: dict[str, Any], name: str) -> None:
    members = documented(name)
    assert set(part) == set(members), name
    for member, kinds in members.items():
        assert isinstance(part[member], kinds), f"{name}: {member}"


def told_call() -> Call:
    call: Call = CallFactory.create(
        ended=True, rang_at=datetime(2026, 3, 1, 12, tzinfo=UTC)
    )
    CommandFactory.create(call=call, asked_by=UserFactory.create(), bulk_id=call.pk)
    EventFactory.create(call=call)
    return call


def exported(client: Client, call: Call) -> Any:
    answer = client.get(f"/calls/{call.pk}/timeline.json")
    assert answer.status_code == 200
    return json.loads(answer.content)


def test_the_export_is_as_documented(operator: Client) -> None:
    call = told_call()

    for document in (
        exported(operator, call),
        exported(operator, CallFactory.create(connection_id=None)),
    ):
        assert_as_documented(document, "document")
        assert_as_documented(document["call"], "call")
        assert document["entries"]
        for entry in document["entries"]:
            assert_as_documented(entry, "entry")
            assert re.fullmatch(r"[\d-]{10}T[\d:]{8}\.\d{6}Z", entry["at"])
            scalars = (str, int, float, bool, type(None))
            assert all(isinstance(one, scalars) for one in entry["details"].values())


def test_every_kind_is_documented() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    table = text.partition("<!-- kinds:begin -->")[2]
    assert re.findall(r"^\| `(\w+)` \|", table, re.M) == [
        kind.value for kind in EntryKind
    ]


def test_the_export_is_whole_where_the_page_is_cut(
    operator: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    call = CallFactory.create(ended=True)
    EventFactory.create_batch(history.SHOWN + 5, call=call)

    kinds = [entry["kind"] for entry in exported(operator, call)["entries"]]

    assert kinds.count("event") == history.SHOWN + 5


def test_the_file_is_named_by_time_and_call(operator: Client) -> None:
    call = told_call()

    answer = operator.get(f"/calls/{call.pk}/timeline.json")

    name = f"20260301-120000_{call.pk}_timeline.json"
    assert answer["Content-Disposition"] == f'attachment; filename="{name}"'


def test_notes_who_took_it(operator: Client) -> None:
    call = told_call()
    exported(operator, call)
    operator.head(f"/calls/{call.pk}/timeline.json")

    [entry] = AuditEntry.objects.filter(action=AuditAction.TIMELINE_EXPORTED)

    assert entry.call_key == call.pk


@pytest.mark.parametrize("path", ["timeline.json", "timeline/page.json"])
def test_is_for_those_who_may_see_calls(stranger: Client, path: str) -> None:
    url = f"/calls/{told_call().pk}/{path}"
    assert stranger.get(url).status_code == 403
    assert Client().get(url).status_code == 403


def test_knows_no_other_calls(operator: Client) -> None:
    url = "/calls/98908842-df3f-4713-ab12-2d7302cf04bf/timeline"
    assert operator.get(f"{url}.json").status_code == 404
    assert operator.get(f"{url}/page.json").status_code == 404


# --- the page's own part ----------------------------------------------------------


def test_sends_an_open_page_only_what_is_new(operator: Client) -> None:
    call = CallFactory.create(live=True)
    url = f"/calls/{call.pk}/timeline/page.json"
    first = operator.get(url)
    again = operator.get(url, headers={"If-None-Match": first["ETag"]})
    EventFactory.create(call=call, kind="CallTransferAccepted")
    later = operator.get(url, headers={"If-None-Match": first["ETag"]})

    assert first.json()["moving"] is True
    assert again.status_code == 304
    assert "CallTransferAccepted" in later.json()["entries"][-1]["html"]


def test_sends_what_the_page_itself_shows(operator: Client) -> None:
    call = told_call()
    page = operator.get(f"/admin/calls/call/{call.pk}/change/").content.decode()
    part = operator.get(f"/calls/{call.pk}/timeline/page.json").json()

    assert part["moving"] is False
    for entry in part["entries"]:
        assert entry["html"].strip() in page


def test_shows_all_on_request(
    operator: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    call = CallFactory.create(ended=True)
    EventFactory.create_batch(history.SHOWN + 5, call=call)
    page = f"/admin/calls/call/{call.pk}/change/"
    moment = b'class="console-moment"'

    cut = operator.get(page).content
    whole = operator.get(page, {"timeline": "all"}).content

    assert b"<span>8</span> older entries are not shown" in cut
    assert cut.count(moment) == history.SHOWN
    assert whole.count(moment) == history.SHOWN + 8


# --- the terminal -----------------------------------------------------------------


def printed(*arguments: str) -> str:
    out = io.StringIO()
    call_command("timeline", *arguments, stdout=out)
    return out.getvalue()


def test_prints_it_by_our_id_and_by_connection_id() -> None:
    call = told_call()
    entries = history.history_of(history.rows_of(call)).entries

    lines = printed(str(call.pk)).splitlines()

    assert lines[0].startswith("2026-03-01 12:00:00.000  call         The call began")
    assert len(lines) == len(entries)
    *again, noted = printed(str(call.connection_id)).splitlines()
    assert again == lines
    # Of the first time.
    assert "Timeline exported" in noted


def test_prints_the_same_document_as_the_console_exports(operator: Client) -> None:
    call = told_call()

    document = json.loads(printed(str(call.pk), "--json"))

    console = exported(operator, call)
    *entries, noted = console["entries"]
    assert document["entries"] == entries
    assert noted["what"] == "Timeline exported"
    assert document["call"] == console["call"]


@pytest.mark.parametrize("text", ["nonsense", "98908842-df3f-4713-ab12-2d7302cf04bf"])
def test_exits_with_one_if_there_is_no_such_call(text: str) -> None:
    with pytest.raises(CommandError, match="no such call") as raised:
        printed(text)
    assert raised.value.returncode == 1


def test_exits_with_two_on_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as raised:
        Command().run_from_argv(["manage.py", "timeline"])
    assert raised.value.code == 2
    assert "CALL_ID" in capsys.readouterr().err
