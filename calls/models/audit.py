"""Who did what with the console: rows that nobody can change."""

from __future__ import annotations

from datetime import UTC
from typing import Any, NoReturn

from django.db import models
from django.utils import timezone

from calls.audit.chain import digest_of, plain

SYSTEM = "system"


class AppendOnlyError(Exception):
    """An audit entry was to be changed or deleted."""

    def __init__(self) -> None:
        super().__init__("The audit log is append-only.")


class AuditAction(models.TextChoices):
    """What was done, or tried."""

    COMMAND_ASKED = "command_asked", "Command asked"
    COMMAND_REFUSED = "command_refused", "Command refused"
    SETTING_CHANGED = "setting_changed", "Rule, profile or setting changed"
    USER_CHANGED = "user_changed", "User or group changed"
    RECORDING_PLAYED = "recording_played", "Recording played"
    RECORDING_DOWNLOADED = "recording_downloaded", "Recording downloaded"
    TIMELINE_EXPORTED = "timeline_exported", "Timeline exported"
    AUDIT_EXPORTED = "audit_exported", "Audit log exported"
    RECORDINGS_EXPORTED = "recordings_exported", "Recordings downloaded together"
    LISTENING_STARTED = "listening_started", "Listening started"
    LISTENING_ENDED = "listening_ended", "Listening ended"
    SPEAKING_STARTED = "speaking_started", "Speaking into a call started"
    SPEAKING_ENDED = "speaking_ended", "Speaking into a call ended"
    PROMPT_CHANGED = "prompt_changed", "Prompt added, changed or removed"
    TRANSCRIPT_READ = "transcript_read", "Transcript read, searched or exported"
    ALARM_CHANGED = "alarm_changed", "Alarm acknowledged, assigned or closed"
    CALL_REVIEWED = "call_reviewed", "Call noted, tagged, rated or followed up"
    CALL_VIEWED = "call_viewed", "Call viewed"
    RECORDING_VIEWED = "recording_viewed", "Recording viewed"
    AUDIT_VIEWED = "audit_viewed", "Audit log viewed"
    SIGNED_IN = "signed_in", "Signed in"
    SIGN_IN_FAILED = "sign_in_failed", "Sign-in failed"
    SIGNED_OUT = "signed_out", "Signed out"


class AppendOnlyQuerySet(models.QuerySet[Any]):
    """Rows may be added and read."""

    def update(self, **_: Any) -> NoReturn:
        """Refuse: see `AppendOnlyError`."""
        raise AppendOnlyError

    def bulk_update(self, *_: Any, **__: Any) -> NoReturn:
        """Refuse: see `AppendOnlyError`."""
        raise AppendOnlyError

    def delete(self) -> NoReturn:
        """Refuse: see `AppendOnlyError`."""
        raise AppendOnlyError


class AuditQuerySet(AppendOnlyQuerySet):
    """Entries, each with its digest."""

    def bulk_create(self, objs: Any, *args: Any, **kwargs: Any) -> Any:
        """Add entries; nothing calls `save` for these."""
        objs = list(objs)
        for entry in objs:
            entry.seal()
        return super().bulk_create(objs, *args, **kwargs)

    def of_call(self, call_id: Any) -> AuditQuerySet:
        """Return what was done about a call."""
        return self.filter(call_key=call_id)


class AuditEntry(models.Model):
    """One thing that somebody did, or tried, by our clock.

    Users, calls and objects are named by key and text and not by foreign keys: what
    they were called stays readable when they are gone, and their going changes no row
    here. The database refuses UPDATE and DELETE as well, by triggers (migration
    `audit`), and gives each entry its place in the chain by another (`audit_chain`): a
    migration that rebuilds this table on SQLite must make them again.
    """

    at = models.DateTimeField(default=timezone.now, db_index=True)
    action = models.CharField(max_length=24, choices=AuditAction)
    actor_key = models.BigIntegerField(
        null=True, blank=True, help_text="The user's key. Empty: nobody signed in."
    )
    actor = models.CharField(
        "who",
        max_length=255,
        db_index=True,
        help_text="The user's name then; of a failed sign-in the name that was tried.",
    )
    call_key = models.UUIDField("call", null=True, blank=True, db_index=True)
    object_type = models.CharField(max_length=64, blank=True)
    object_key = models.CharField(max_length=64, blank=True)
    object_title = models.CharField(max_length=255, blank=True)
    details = models.JSONField(default=dict, blank=True)
    address = models.CharField("from", max_length=64, blank=True)
    # Null: it was there before there was a chain. Whoever verifies computes it anew.
    digest = models.CharField(  # noqa: DJ001 a column that costs no new table
        max_length=64, null=True, editable=False
    )

    objects = AuditQuerySet.as_manager()

    class Meta:
        ordering = ("-at", "-id")
        verbose_name_plural = "audit entries"
        indexes = (models.Index(fields=["action", "at"], name="audit_by_action"),)

    def __str__(self) -> str:
        return f"{self.actor}: {self.get_action_display()}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Add the entry; refuse one that is stored: see `AppendOnlyError`."""
        if not self._state.adding:
            raise AppendOnlyError
        self.seal()
        # Also of an object with another's key: INSERT, never UPDATE.
        super().save(*args, **kwargs | {"force_insert": True})

    def delete(self, *_: Any, **__: Any) -> NoReturn:
        """Refuse: see `AppendOnlyError`."""
        raise AppendOnlyError

    def seal(self) -> None:
        """Compute the digest of what is about to be stored."""
        self.details = plain(self.details)
        self.digest = digest_of(self.facts())

    def facts(self) -> dict[str, Any]:
        """Return what the digest is of, fit for JSON; `at` in UTC, in microseconds."""
        at = self.at.astimezone(UTC)
        return {
            "at": at.isoformat(timespec="microseconds"),
            "action": str(self.action),
            "actor": self.actor,
            "actor_key": self.actor_key,
            "call": str(self.call_key) if self.call_key else None,
            "object_type": self.object_type,
            "object_key": self.object_key,
            "object_title": self.object_title,
            "address": self.address,
            "details": self.details,
        }


class AuditLink(models.Model):
    """An entry's place in the chain, and the hash that stands for all up to there.

    A trigger adds it when the entry is committed, and the database refuses UPDATE and
    DELETE. No foreign key: a link whose entry is gone tells of it.
    """

    sequence = models.BigIntegerField(primary_key=True)
    entry = models.OneToOneField(
        AuditEntry, models.DO_NOTHING, db_constraint=False, related_name="link"
    )
    previous = models.CharField(max_length=64)
    hash = models.CharField(max_length=64)

    objects = AppendOnlyQuerySet.as_manager()

    class Meta:
        ordering = ("sequence",)

    def __str__(self) -> str:
        return f"{self.sequence} {self.hash}"


class AuditCheck(models.Model):
    """That the chain was verified, up to where, and what was found."""

    at = models.DateTimeField(default=timezone.now)
    # Else only what had come since the check before.
    is_whole = models.BooleanField()
    sequence = models.BigIntegerField()
    hash = models.CharField(max_length=64)
    faults = models.IntegerField(default=0)
    words = models.CharField(max_length=255, blank=True)

    class Meta:
        ordering = ("-at", "-id")

    def __str__(self) -> str:
        return f"{self.sequence}: {self.words or 'intact'}"
