"""Who did what with the console: rows that nobody can change."""

from __future__ import annotations

from typing import Any, NoReturn

from django.db import models
from django.utils import timezone

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
    SIGNED_IN = "signed_in", "Signed in"
    SIGN_IN_FAILED = "sign_in_failed", "Sign-in failed"
    SIGNED_OUT = "signed_out", "Signed out"


class AuditQuerySet(models.QuerySet["AuditEntry"]):
    """Entries may be added and read."""

    def update(self, **_: Any) -> NoReturn:
        """Refuse: see `AppendOnlyError`."""
        raise AppendOnlyError

    def bulk_update(self, *_: Any, **__: Any) -> NoReturn:
        """Refuse: see `AppendOnlyError`."""
        raise AppendOnlyError

    def delete(self) -> NoReturn:
        """Refuse: see `AppendOnlyError`."""
        raise AppendOnlyError

    def of_call(self, call_id: Any) -> AuditQuerySet:
        """Return what was done about a call."""
        return self.filter(call_key=call_id)


class AuditEntry(models.Model):
    """One thing that somebody did, or tried, by our clock.

    Users, calls and objects are named by key and text and not by foreign keys: what
    they were called stays readable when they are gone, and their going changes no row
    here. The database refuses UPDATE and DELETE as well, by triggers (migration
    `audit`): a migration that rebuilds this table on SQLite must make them again.
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

    objects = AuditQuerySet.as_manager()

    class Meta:
        ordering = ("-at", "-id")
        verbose_name_plural = "audit entries"

    def __str__(self) -> str:
        return f"{self.actor}: {self.get_action_display()}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Add the entry; refuse one that is stored: see `AppendOnlyError`."""
        if not self._state.adding:
            raise AppendOnlyError
        # Also of an object with another's key: INSERT, never UPDATE.
        super().save(*args, **kwargs | {"force_insert": True})

    def delete(self, *_: Any, **__: Any) -> NoReturn:
        """Refuse: see `AppendOnlyError`."""
        raise AppendOnlyError
