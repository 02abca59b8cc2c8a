"""The page of the audit log, and what can be taken away from it."""

import asyncio
import csv
import io
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import connection
from django.test import AsyncClient, Client
from django.test.utils import CaptureQueriesContext

from calls.audit import log as audit_log
from calls.audit.head import log_check
from calls.models import AuditAction, AuditEntry, Call
from tests.audit.tampering import chained, tamper, written
from tests.factories import CallFactory, ProfileFactory, UserFactory

pytestmark = [pytest.mark.database, pytest.mark.django_db]

LIST = "/admin/calls/auditentry/"
HOSTILE = "<img src=x onerror=alert(1)>"


def note(name: str = "ada", call: Call | None = None, **about: Any) -> AuditEntry:
    user = UserFactory._meta.model.objects.filter(username=name).first()
    return audit_log.note(
        about.pop("action", AuditAction.COMMAND_REFUSED),
        actor=user or UserFactory.create(username=name),
        call=call,
        details={"command": "Hang up", "reason": "The call has ended."},
        **about,
    )


def shown(response: Any) -> set[int]:
    return {row.pk for row in response.context["cl"].result_list}


def test_tells_it_in_sentences_with_links_to_what_is_still_there(
    auditor: Client,
) -> None:
    call, gone = CallFactory.create(ended=True), CallFactory.create(ended=True)
    note(call=call, obj=ProfileFactory.create(name="Desk"))
    note(call=gone)
    key = str(gone.pk)
    gone.delete()

    page = auditor.get(LIST).content.decode()

    assert "was refused “Hang up”: The call has ended." in page
    assert f'href="/admin/calls/call/{call.pk}/change/"' in page
    assert "/admin/calls/streamingprofile/" in page
    assert key in page
    assert f"call/{key}" not in page


def test_asks_the_database_no_more_for_25_entries_than_for_one(
    auditor: Client,
) -> None:
    note(call=CallFactory.create(), obj=ProfileFactory.create())
    auditor.get(LIST)
    with CaptureQueriesContext(connection) as one:
        auditor.get(LIST)
    for _ in range(24):
        note(call=CallFactory.create(), obj=ProfileFactory.create())
    with CaptureQueriesContext(connection) as many:
        auditor.get(LIST)
    assert len(many) == len(one)


def test_filters_by_who_what_when_and_call(auditor: Client) -> None:
    call = CallFactory.create()
    desk = ProfileFactory.create(name="Desk")
    theirs = note("bob", call, obj=desk, address="10.1.2.3")
    note("ada", action=AuditAction.SIGNED_OUT, address="10.2.0.1")

    for query in (
        {"who": "BOB"},
        {"action__exact": "command_refused"},
        {"call": str(call.pk)},
        {"call": str(call.connection_id)},
        {"q": str(call.pk)},
        {"q": "bob"},
        {"about": "esk"},
        {"about": str(desk.pk)},
        {"address": "10.1."},
    ):
        assert shown(auditor.get(LIST, query)) == {theirs.pk}, query
    assert not shown(auditor.get(LIST, {"call": "nonsense"}))


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"at_from_0": "2026-03-01", "at_to_0": "2026-03-01"}, True),
        ({"at_from_0": "2026-03-01", "at_from_1": "23:59:59"}, False),
        ({"at_from_0": "2026-03-02"}, False),
        ({"at_to_0": "2026-02-28"}, False),
        ({"at_to_0": "2026-03-01", "at_to_1": "11:00:00"}, False),
        ({"at_to_0": "no date", "at_to_1": "11:00:00"}, True),
    ],
)
def test_filters_by_days_and_by_times(
    auditor: Client, query: dict[str, str], found: bool
) -> None:
    at = datetime(2026, 3, 1, 12, tzinfo=UTC)
    AuditEntry.objects.create(actor="bob", action="signed_in", at=at)

    assert bool(shown(auditor.get(LIST, {"who": "bob", **query}))) is found


def test_says_how_far_the_chain_is_verified_without_verifying_it(
    auditor: Client,
) -> None:
    written(3)
    assert "not verified yet" in auditor.get(LIST).content.decode()
    chained()
    check = log_check()
    page = auditor.get(LIST).content.decode()
    assert f"Verified up to entry {check.sequence} of" in page

    tamper("UPDATE calls_auditentry SET address = '192.0.2.9'")

    # Nobody verifies a million entries to show a page: the next check finds it.
    assert "NOT INTACT" not in auditor.get(LIST).content.decode()
    chained()
    log_check()
    page = auditor.get(LIST).content.decode()
    assert "NOT INTACT" in page
    assert "was changed" in page


def test_is_for_those_who_may_see_it(operator: Client, auditor: Client) -> None:
    entry = note()
    for path in (LIST, f"{LIST}{entry.pk}/change/", f"{LIST}export.csv"):
        assert operator.get(path).status_code == 403
        assert auditor.get(path).status_code == 200


def test_shows_hostile_names_as_text(auditor: Client) -> None:
    Client().post("/admin/login/", {"username": HOSTILE, "password": "x"})

    page = auditor.get(LIST).content.decode()

    assert "<img" not in page
    assert "&lt;img" in page


def test_exports_all_of_the_list_as_csv(auditor: Client) -> None:
    wanted = [note("bob"), note("bob")]
    note("ada")

    answer = auditor.get(f"{LIST}export.csv", {"who": "bob"})
    rows = list(csv.DictReader(io.StringIO(b"".join(answer).decode())))

    assert [int(row["id"]) for row in rows] == [one.pk for one in wanted]
    assert rows[0]["actor"] == "bob"
    assert rows[0]["sentence"] == "was refused “Hang up”: The call has ended."
    assert json.loads(rows[0]["details"])["command"] == "Hang up"
    assert answer["Content-Disposition"].startswith('attachment; filename="audit_')
    last = AuditEntry.objects.latest("pk")
    assert (last.action, last.details["filters"]) == ("audit_exported", {"who": "bob"})


def test_exports_json_lines_across_blocks(
    auditor: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("calls.audit.export.BLOCK_ROWS", 2)
    for _ in range(5):
        note("bob")

    answer = auditor.get(f"{LIST}export.jsonl", {"who": "bob"})
    *lines, last = [json.loads(line) for line in b"".join(answer).splitlines()]

    assert last["filters"] == {"who": "bob"}
    assert len(lines) == 5
    assert lines == sorted(lines, key=lambda line: line["id"])


def test_gives_spreadsheets_no_formula(auditor: Client) -> None:
    Client().post("/admin/login/", {"username": "=1+1", "password": "x"})

    answer = auditor.get(f"{LIST}export.csv", {"who": "=1+1"})
    [row] = csv.DictReader(io.StringIO(b"".join(answer).decode()))

    assert row["actor"] == "'=1+1"


def test_turns_away_filters_that_make_no_sense(auditor: Client) -> None:
    answer = auditor.get(f"{LIST}export.csv", {"at__nonsense": "1"})
    assert answer.status_code == 400


@pytest.mark.django_db(transaction=True)
def test_exports_under_asgi_too() -> None:
    user = UserFactory.create(username="ada", is_superuser=True)

    async def taken() -> bytes:
        client = AsyncClient()
        await client.aforce_login(user)
        answer = await client.get(f"{LIST}export.jsonl")
        return b"".join([block async for block in answer])  # type: ignore[attr-defined]

    *lines, last = asyncio.run(taken()).splitlines()
    assert json.loads(last)["audit_head"]["sequence"] == 2
    assert [json.loads(line)["action"] for line in lines] == [
        "signed_in",
        "audit_exported",
    ]
