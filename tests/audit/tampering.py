"""What somebody with the database's own password may do to the audit log."""

from django.contrib.auth.models import User
from django.db import connection

from calls.audit import log as audit_log
from calls.models import AuditAction, AuditEntry

DROP = {
    "sqlite": (
        "DROP TRIGGER IF EXISTS calls_auditentry_no_update",
        "DROP TRIGGER IF EXISTS calls_auditentry_no_delete",
        "DROP TRIGGER IF EXISTS calls_auditentry_chain",
        "DROP TRIGGER IF EXISTS calls_auditlink_no_update",
        "DROP TRIGGER IF EXISTS calls_auditlink_no_delete",
    ),
    "postgresql": (
        "ALTER TABLE calls_auditentry DISABLE TRIGGER ALL",
        "ALTER TABLE calls_auditlink DISABLE TRIGGER ALL",
    ),
}


def written(number: int = 6) -> list[AuditEntry]:
    """Write so many entries and have them chained as by a commit."""
    user = User.objects.filter(username="ada").first()
    user = user or User.objects.create(username="ada")
    entries = [
        audit_log.note(
            AuditAction.SETTING_CHANGED,
            actor=user,
            details={"fields": {"gain": [1.0, n / 10], "big": 2**60, "ü": "\0"}},
        )
        for n in range(number)
    ]
    chained()
    return entries


def chained() -> None:
    """Have PostgreSQL do now what it does at the commit."""
    connection.check_constraints()


def tamper(*statements: str) -> None:
    """Do things that the triggers refuse: without them."""
    chained()
    with connection.cursor() as cursor:
        for statement in (*DROP[connection.vendor], *statements):
            cursor.execute(statement)


def entries_remove(which: str) -> None:
    """Remove entries and their links, those `= 3` or `> 4`: no trace stays."""
    links = f"FROM calls_auditlink WHERE sequence {which}"
    tamper(
        f"DELETE FROM calls_auditentry WHERE id IN (SELECT entry_id {links})",  # noqa: S608
        f"DELETE {links}",
    )
