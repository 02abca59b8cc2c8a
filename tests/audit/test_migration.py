"""A log that is there already is chained as it is, and goes on."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from django.core.management import call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from calls.audit import log as audit_log
from calls.audit.head import log_verify
from calls.audit.verification import Walk
from calls.models import AuditAction, AuditEntry, AuditLink

pytestmark = [pytest.mark.database, pytest.mark.django_db(transaction=True)]

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
BEFORE = [("calls", "0018_sso_identity")]


@pytest.fixture
def back_again() -> Iterator[None]:
    yield
    call_command("migrate", verbosity=0)


@pytest.mark.usefixtures("back_again")
def test_old_entries_are_chained_and_stay_as_they_are() -> None:
    MigrationExecutor(connection).migrate(BEFORE)
    state = MigrationExecutor(connection).loader.project_state(BEFORE)
    old = state.apps.get_model("calls", "AuditEntry").objects
    old.bulk_create(
        old.model(
            at=NOON + timedelta(microseconds=number),
            action="command_asked",
            actor="ada" * (number % 3),
            call_key=UUID(int=number) if number % 2 else None,
            details={"fields": {"level": [None, number / 4], "ü": True}},
        )
        for number in range(2_500)
    )

    call_command("migrate", verbosity=0)

    new = audit_log.note(AuditAction.SIGNED_IN, actor=None)
    walk = log_verify(Walk())
    assert (walk.entries, walk.found) == (2_501, 0)
    assert AuditLink.objects.get(entry=new).sequence == 2_501
    assert AuditEntry.objects.filter(digest=None).count() == 2_500
