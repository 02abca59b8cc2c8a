"""Nobody changes or deletes an entry: not the model, not the admin, not raw SQL."""

import pytest
from django.db import DatabaseError, connection, transaction
from django.test import Client

from calls.audit import log as audit_log
from calls.models import AppendOnlyError, AuditAction, AuditEntry
from tests.console.conftest import logged_in
from tests.factories import UserFactory

pytestmark = [pytest.mark.database, pytest.mark.django_db]


def entry() -> AuditEntry:
    return audit_log.note(
        AuditAction.SIGNED_IN, actor=UserFactory.create(username="ada")
    )


def test_refuses_to_save_an_entry_again() -> None:
    kept = entry()
    kept.actor = "bob"

    with pytest.raises(AppendOnlyError):
        kept.save()

    assert AuditEntry.objects.get().actor == "ada"


def test_refuses_to_put_an_entry_over_another() -> None:
    kept = entry()

    with pytest.raises(DatabaseError), transaction.atomic():
        AuditEntry(pk=kept.pk, actor="bob", action="signed_in").save()

    assert AuditEntry.objects.get().actor == "ada"


def test_refuses_to_delete_an_entry() -> None:
    kept = entry()

    with pytest.raises(AppendOnlyError):
        kept.delete()
    with pytest.raises(AppendOnlyError):
        AuditEntry.objects.all().delete()

    assert AuditEntry.objects.count() == 1


def test_refuses_to_update_many() -> None:
    kept = entry()

    with pytest.raises(AppendOnlyError):
        AuditEntry.objects.update(actor="bob")
    with pytest.raises(AppendOnlyError):
        AuditEntry.objects.bulk_update([kept], ["actor"])


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE calls_auditentry SET actor = 'bob'",
        "UPDATE calls_auditentry SET at = at",
        "DELETE FROM calls_auditentry",
        "DELETE FROM calls_auditentry WHERE actor = 'ada'",
    ],
)
def test_the_database_itself_refuses(statement: str) -> None:
    entry()

    with (
        pytest.raises(DatabaseError, match="append-only"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(statement)

    assert AuditEntry.objects.get().actor == "ada"


def test_keeps_the_name_of_a_user_who_is_gone() -> None:
    user = UserFactory.create(username="ada")
    audit_log.note(AuditAction.SIGNED_IN, actor=user)

    user.delete()

    assert AuditEntry.objects.get().actor == "ada"


def test_gives_nobody_a_form_that_changes_an_entry(root: Client) -> None:
    kept = AuditEntry.objects.get()
    page = f"/admin/calls/auditentry/{kept.pk}"

    assert root.get("/admin/calls/auditentry/add/").status_code == 403
    assert root.post(f"{page}/change/", {"actor": "bob"}).status_code == 403
    assert root.post(f"{page}/delete/", {"post": "yes"}).status_code == 403
    assert b'name="_save"' not in root.get(f"{page}/change/").content
    assert b"delete_selected" not in root.get("/admin/calls/auditentry/").content
    # Beside it there is only that somebody looked.
    assert AuditEntry.objects.exclude(action="audit_viewed").get() == kept


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("turn", [1, 2])
def test_a_test_with_real_transactions_leaves_no_entry_behind(turn: int) -> None:
    # Whichever runs second would find what the first one wrote.
    assert not AuditEntry.objects.exists()
    logged_in(UserFactory.create(username=f"ada{turn}"))
    assert AuditEntry.objects.count() == 1
