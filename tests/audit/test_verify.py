"""Whatever is done to the log behind the triggers' backs is found, and named."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client

from acsstream.settings import BASE_DIR
from calls.audit.chain import GENESIS, digest_of, hash_of
from calls.audit.head import head_now, log_check, log_verify
from calls.audit.verification import Walk
from calls.models import AuditCheck, AuditEntry, AuditLink
from tests.audit.tampering import entries_remove, tamper, written

pytestmark = [pytest.mark.database, pytest.mark.django_db]

EXPORT = "/admin/calls/auditentry/export.jsonl"


def found(walk: Walk | None = None) -> list[tuple[str, int | None]]:
    """Return what is found: its kind and its place."""
    walk = log_verify(walk or Walk())
    assert walk.found == len(walk.findings)
    return [(one.kind, one.sequence) for one in walk.findings]


def place(sequence: int) -> AuditLink:
    link: AuditLink = AuditLink.objects.get(sequence=sequence)
    return link


def verify(capsys: pytest.CaptureFixture[str], *options: str) -> tuple[int, str]:
    """Return the exit code of `manage.py verify_audit` and what it says."""
    code = 0
    try:
        call_command("verify_audit", *options)
    except SystemExit as exit_:
        code = int(exit_.code or 0)
    return code, capsys.readouterr().out


def test_chains_every_entry_to_the_one_before_without_a_gap() -> None:
    entries = written(3)

    links = list(AuditLink.objects.order_by("sequence"))
    assert [(one.sequence, one.entry_id) for one in links] == [
        (number, entry.pk) for number, entry in enumerate(entries, 1)
    ]
    previous = GENESIS
    for link, entry in zip(links, entries, strict=True):
        # As it is read back: each database keeps JSON in a way of its own.
        digest = digest_of(AuditEntry.objects.get(pk=entry.pk).facts())
        assert link.previous == previous
        assert link.hash == hash_of(link.sequence, entry.pk, previous, digest)
        previous = link.hash
    assert found() == []


def test_has_a_form_that_never_changes() -> None:
    # docs/audit.md has this example: who wrote a verifier against it relies on it.
    facts = {
        "at": "2026-03-01T12:00:00.000250+00:00",
        "action": "setting_changed",
        "actor": "ada",
        "actor_key": 7,
        "call": None,
        "object_type": "calls.streamingprofile",
        "object_key": "3",
        "object_title": "Empfang – Süd",
        "address": "192.0.2.7",
        "details": {"how": "changed", "fields": {"gain": [1.0, 0.5], "big": 2**60}},
    }

    assert digest_of(facts) == (
        "ce45f2c0fceff05099f3d56cd9c15060071c43aeb7b9eed4fbdd91e683a99478"
    )
    assert hash_of(1, 12, GENESIS, digest_of(facts)) == (
        "83eff9fe2ef002a7bb8001eea8ed62958f1e8f4715c48e56cbe18ef096c48c30"
    )


@pytest.mark.parametrize(
    "change",
    [
        "actor = 'bob'",
        "action = 'signed_in'",
        "address = '192.0.2.1'",
        "object_title = 'other'",
        "actor_key = 99",
        "details = '{}'",
        "at = '2026-01-01 00:00:00+00:00'",
        "digest = NULL, actor = 'bob'",
    ],
)
def test_finds_a_changed_field(change: str) -> None:
    written()
    entry = place(3).entry_id

    tamper(f"UPDATE calls_auditentry SET {change} WHERE id = {entry}")  # noqa: S608

    assert found() == [("changed", 3)]


def test_finds_a_removed_entry_whether_or_not_its_link_went_with_it() -> None:
    written()
    tamper(f"DELETE FROM calls_auditentry WHERE id = {place(2).entry_id}")  # noqa: S608
    entries_remove("= 4")

    assert found() == [("missing", 2), ("missing", 4)]


def test_finds_an_inserted_entry() -> None:
    written()
    tamper(
        "INSERT INTO calls_auditentry (at, action, actor, object_type, object_key,"
        " object_title, details, address) VALUES"
        " ('2026-01-01 00:00:00+00:00', 'signed_in', 'bob', '', '', '', '{}', '')"
    )

    [(kind, _)] = found()

    assert kind == "inserted"


def test_finds_two_entries_that_changed_places() -> None:
    written()
    tamper(
        "UPDATE calls_auditlink SET sequence = -1 WHERE sequence = 3",
        "UPDATE calls_auditlink SET sequence = 3 WHERE sequence = 4",
        "UPDATE calls_auditlink SET sequence = 4 WHERE sequence = -1",
    )

    assert found() == [("reordered", 3), ("reordered", 4)]


def test_finds_two_entries_whose_contents_changed_places() -> None:
    written()
    one, other = place(2).entry_id, place(5).entry_id
    tamper(
        f"UPDATE calls_auditentry SET id = -1 WHERE id = {one}",  # noqa: S608
        f"UPDATE calls_auditentry SET id = {one} WHERE id = {other}",  # noqa: S608
        f"UPDATE calls_auditentry SET id = {other} WHERE id = -1",  # noqa: S608
    )

    assert found() == [("reordered", 2), ("reordered", 5)]


def test_finds_an_entry_that_was_chained_anew_in_anothers_place() -> None:
    written()
    link = place(3)
    entry = AuditEntry.objects.get(pk=link.entry_id)
    entry.actor = "bob"
    forged = hash_of(3, entry.pk, link.previous, digest_of(entry.facts()))
    tamper(
        f"UPDATE calls_auditentry SET actor = 'bob' WHERE id = {entry.pk}",  # noqa: S608
        f"UPDATE calls_auditlink SET hash = '{forged}' WHERE sequence = 3",  # noqa: S608
    )

    assert found() == [("replaced", 3)]


def test_finds_removed_last_entries_by_a_head_that_was_kept() -> None:
    written()
    kept = head_now()
    entries_remove("> 4")
    assert found() == []

    assert found(Walk(anchors={kept.sequence: kept.hash})) == [("cut", 5)]


def test_finds_a_log_that_was_rewritten_by_a_head_that_was_kept() -> None:
    written()

    assert found(Walk(anchors={4: "0" * 64})) == [("replaced", 4)]


def test_says_so_by_exit_code_and_as_json(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    written()
    head = tmp_path / "head"
    assert verify(capsys, "--write-head", str(head)) == (
        0,
        f"Intact: 6 entries, 0 findings; the head is 6 {head_now().hash}.\n",
    )
    entries_remove("> 5")

    code, said = verify(capsys, "--head", str(head), "--json")

    finding, summary = (json.loads(line) for line in said.splitlines())
    assert code == 1
    assert (finding["finding"], finding["sequence"]) == ("cut", 6)
    assert summary["summary"]["intact"] is False
    for options in (["--head", "/nowhere"], ["--file", "/nowhere"]):
        with pytest.raises(CommandError) as refused:
            verify(capsys, *options)
        assert refused.value.returncode == 2


def documented(file: Path) -> bool:
    """Verify an export with what docs/audit.md gives to strangers."""
    page = (BASE_DIR / "docs" / "audit.md").read_text(encoding="utf-8")
    [program] = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    names: dict[str, Any] = {}
    exec(program, names)  # noqa: S102 our own page
    return bool(names["verify"](file))


# --- exports ----------------------------------------------------------------------


def exported(client: Client, path: Path, **query: str) -> list[str]:
    """Export the log into a file and return its lines."""
    written()
    if connection.vendor == "postgresql":
        # No test's transaction commits: chain that it is exported, too, at once.
        with connection.cursor() as cursor:
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
    answer = client.get(EXPORT, query)
    path.write_bytes(b"".join(answer))
    return path.read_text().splitlines()


def test_verifies_an_export_without_the_database(
    auditor: Client,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    django_assert_num_queries: Any,
) -> None:
    file = tmp_path / "log.jsonl"
    lines = exported(auditor, file)
    last = json.loads(lines[-1])["audit_head"]
    assert (last["sequence"], last["hash"]) == (head_now().sequence, head_now().hash)

    with django_assert_num_queries(0):
        code, said = verify(capsys, "--file", str(file))
    assert code == 0, said
    assert said.startswith(f"Intact: {len(lines) - 1} entries, ")

    assert documented(file)

    def faulty(*changed: str) -> str:
        file.write_text("\n".join(changed) + "\n")
        code, said = verify(capsys, "--file", str(file))
        assert code == 1
        assert not documented(file)
        return said

    assert "entry 3 (id" in faulty(
        *lines[:2], lines[2].replace("ada", "bob"), *lines[3:]
    )
    assert "entry 3: not there" in faulty(*lines[:2], *lines[3:])
    assert "comes after" in faulty(lines[1], lines[0], *lines[2:])
    assert "removed" in faulty(*lines[:-2], lines[-1])
    assert "its end is missing" in faulty(*lines[:-1])
    # An export made earlier is a head that was kept.
    file.write_text("\n".join(lines) + "\n")
    entries_remove("> 3")
    code, said = verify(capsys, "--head", str(file))
    assert code == 1
    assert "the last entries were removed" in said


def test_verifies_each_entry_of_an_export_with_filters(
    auditor: Client, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "log.jsonl"
    lines = exported(auditor, file, who="ada")

    code, said = verify(capsys, "--file", str(file))
    assert (code, len(lines)) == (0, 7), said
    assert "6 entries, part of the log" in said
    file.write_text("\n".join([lines[0].replace("ada", "bob"), *lines[1:]]))
    assert verify(capsys, "--file", str(file))[0] == 1


# --- as time goes by --------------------------------------------------------------


def test_checks_what_is_new_and_once_a_day_everything(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    written()
    first = log_check()
    written(2)
    second = log_check()
    assert [(one.is_whole, one.sequence, one.faults) for one in (first, second)] == [
        (True, 6, 0),
        (False, 8, 0),
    ]

    tamper("UPDATE calls_auditentry SET actor = 'bob'")

    # Of those before the last check it looks at none, until a day is over.
    assert log_check().faults == 1
    whole = log_check()
    assert (whole.is_whole, whole.faults) == (True, 8)
    assert "was changed" in whole.words


def test_finds_by_itself_that_the_end_was_removed_since_the_last_check() -> None:
    written()
    log_check()
    entries_remove("> 4")

    check = log_check()

    assert check.faults == 1
    assert "the last entries were removed" in check.words
    assert AuditCheck.objects.count() == 2


def test_what_was_found_once_does_not_pass_by_itself(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("calls.audit.head.KEPT_CHECKS", 3)
    written()
    log_check()
    entries_remove("> 4")

    assert [log_check().faults for _ in range(6)] == [1] * 6
