"""A condition worth a human, from the moment it was seen to its closing."""

from __future__ import annotations

import uuid
from datetime import datetime

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from calls.models.call import Call


class AlarmKind(models.TextChoices):
    """What is wrong."""

    DEAD_AIR = "dead_air", _("Dead air")
    ONE_WAY = "one_way", _("One-way audio")
    SILENT_FLOW = "silent_flow", _("Flowing but silent")
    STALLED = "stalled", _("Stalled stream")
    GAPS = "gaps", _("Gaps")
    CLIPPING = "clipping", _("Clipping")
    TOO_QUIET = "too_quiet", _("Level too low")
    OVERTALK = "overtalk", _("Overtalk")
    MALFORMED = "malformed", _("Malformed frames")
    COMMAND_FAILED = "command_failed", _("Command failed")
    INCOMPLETE = "incomplete", _("Recording incomplete")
    NODE_FULL = "node_full", _("Node near capacity")
    DISK_LOW = "disk_low", _("Disk days low")
    HANDLER = "handler", _("Handler failing")
    TRANSCRIPT = "transcript", _("Transcription stalled")
    STORAGE = "storage", _("Storage refuses")


class Severity(models.IntegerChoices):
    """How much it matters; higher is worse."""

    NOTICE = 1, _("Notice")
    WARNING = 2, _("Warning")
    CRITICAL = 3, _("Critical")


class AlarmState(models.TextChoices):
    """What people have done about it. Who it is assigned to is a field of its own."""

    OPEN = "open", _("Open")
    ACKNOWLEDGED = "acknowledged", _("Acknowledged")
    CLOSED = "closed", _("Closed")


class AlarmQuerySet(models.QuerySet["Alarm"]):
    """Reads named for what they mean."""

    def unclosed(self) -> AlarmQuerySet:
        """Return alarms that nobody has closed, whether the condition lasts or not."""
        return self.exclude(state=AlarmState.CLOSED)

    def lasting(self) -> AlarmQuerySet:
        """Return alarms whose condition lasts."""
        return self.filter(cleared_at=None).unclosed()

    def inbox(self, since: datetime) -> AlarmQuerySet:
        """Return what the problem inbox shows: unclosed, and seen since then."""
        return self.unclosed().filter(last_seen_at__gte=since)


class Alarm(models.Model):
    """One condition of a call, of a participant in it, or of a node.

    A condition that ends sets `cleared_at`, and one that comes back soon goes on with
    its alarm: `occurrences` counts. People acknowledge, assign and close; closing says
    why. `key` names the condition: there is one unclosed alarm of each.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    key = models.CharField(max_length=400, editable=False)
    kind = models.CharField(max_length=16, choices=AlarmKind)
    severity = models.PositiveSmallIntegerField(choices=Severity)
    state = models.CharField(max_length=12, choices=AlarmState, default=AlarmState.OPEN)
    call = models.ForeignKey(
        Call, null=True, blank=True, on_delete=models.CASCADE, related_name="alarms"
    )
    raw_id = models.CharField(
        "participant", max_length=255, blank=True, help_text="Empty: the whole call."
    )
    node = models.CharField(max_length=255, blank=True)
    words = models.CharField(
        "reason", max_length=500, help_text="What was seen, in words, with figures."
    )
    value = models.FloatField(null=True, blank=True)
    threshold = models.FloatField(null=True, blank=True)
    at_us = models.BigIntegerField(
        null=True,
        blank=True,
        help_text="Capture time at which the condition began, µs since 1970 UTC.",
    )
    occurrences = models.PositiveIntegerField(default=1)
    opened_at = models.DateTimeField(default=timezone.now)
    last_seen_at = models.DateTimeField(default=timezone.now)
    cleared_at = models.DateTimeField(
        null=True, blank=True, help_text="When the condition ended. Empty: it lasts."
    )
    acknowledged_at = models.DateTimeField(null=True, blank=True)
    acknowledged_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
    )
    assignee = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="alarms",
    )
    assigned_at = models.DateTimeField(null=True, blank=True)
    closed_at = models.DateTimeField(null=True, blank=True)
    closed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
        help_text="Empty: closed by the system.",
    )
    close_reason = models.CharField(max_length=500, blank=True)

    objects = AlarmQuerySet.as_manager()

    class Meta:
        ordering = ("-severity", "-opened_at")
        permissions = [
            ("handle_alarm", "Can acknowledge, assign and close alarms"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["key"],
                condition=~models.Q(state="closed"),
                name="one_unclosed_alarm_per_key",
            )
        ]
        indexes = [
            models.Index(fields=["call", "kind"], name="alarms_of_a_call"),
            models.Index(fields=["kind", "call"], name="alarms_of_a_kind"),
            models.Index(
                fields=["-severity", "-last_seen_at"],
                condition=~models.Q(state="closed"),
                name="alarms_unclosed",
            ),
            models.Index(fields=["opened_at"], name="alarms_by_time"),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()}: {self.words}"

    @property
    def is_lasting(self) -> bool:
        """Say whether the condition is there now."""
        return self.cleared_at is None and self.state != AlarmState.CLOSED
