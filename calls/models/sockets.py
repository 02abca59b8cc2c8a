"""By what audio came: ingest processes, subscriptions, and the sockets ACS dialled."""

from __future__ import annotations

import uuid

from django.db import models
from django.utils import timezone

from calls.models.call import Call


class IngestProcess(models.Model):
    """A running (or dead) ingest process and its lease."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    node = models.CharField(max_length=255)
    pid = models.PositiveIntegerField()
    started_at = models.DateTimeField(default=timezone.now)
    renewed_at = models.DateTimeField(default=timezone.now, db_index=True)
    stopped_at = models.DateTimeField(null=True, blank=True)
    streams = models.PositiveIntegerField(default=0)
    refused = models.PositiveIntegerField(default=0)

    class Meta:
        ordering = ("-renewed_at",)
        verbose_name_plural = "ingest processes"

    def __str__(self) -> str:
        return f"{self.node}/{self.pid}"


class Subscription(models.Model):
    """One media-streaming subscription of a call, as its AudioMetadata announced it."""

    class State(models.TextChoices):
        """ACS's `mediaStreamingSubscription.state`, by what we see."""

        ACTIVE = "active", "Active"
        INACTIVE = "inactive", "Inactive"

    id = models.UUIDField(primary_key=True, editable=False)
    call = models.ForeignKey(
        Call, on_delete=models.CASCADE, related_name="subscriptions"
    )
    subscription_id = models.CharField(max_length=128)
    encoding = models.CharField(max_length=32)
    sample_rate = models.PositiveIntegerField()
    channels = models.PositiveSmallIntegerField()
    frame_bytes = models.PositiveIntegerField(null=True, blank=True)
    is_mixed = models.BooleanField(null=True, blank=True)
    state = models.CharField(max_length=8, choices=State, default=State.ACTIVE)
    started_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("-started_at",)
        constraints = [
            models.UniqueConstraint(
                fields=["call", "subscription_id"], name="one_subscription_per_id"
            )
        ]

    def __str__(self) -> str:
        return self.subscription_id


class Connection(models.Model):
    """One socket of a subscription, and the journal that holds what came over it."""

    class JournalState(models.TextChoices):
        """Where the bytes of this socket are."""

        OPEN = "open", "Being written"
        SEALED = "sealed", "Sealed, waiting to be finished"
        TORN = "torn", "Ended without a seal"
        KEPT = "kept", "In a verified recording; journal removed"
        MISSING = "missing", "Journal not found"

    class JournalEnd(models.TextChoices):
        """What the journal turned out to be when it was read. Empty: not read yet."""

        SEALED = "sealed", "Whole, sealed by its writer"
        TORN = "torn", "Ends without a seal: its process died"
        DAMAGED = "damaged", "Sealed, and some records cannot be read"

    class Kind(models.TextChoices):
        """What ACS dialled it for."""

        MEDIA = "media", "Media"
        TRANSCRIPTION = "transcription", "Transcription"

    id = models.UUIDField(primary_key=True, editable=False)
    call = models.ForeignKey(Call, on_delete=models.CASCADE, related_name="connections")
    kind = models.CharField(max_length=13, choices=Kind, default=Kind.MEDIA)
    subscription = models.ForeignKey(
        Subscription,
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="connections",
    )
    process_id = models.UUIDField(null=True, db_index=True)
    node = models.CharField(max_length=255)
    remote_address = models.CharField(max_length=64, blank=True)
    opened_at = models.DateTimeField(db_index=True)
    closed_at = models.DateTimeField(null=True, blank=True)
    close_code = models.PositiveIntegerField(null=True, blank=True)
    close_reason = models.CharField(max_length=500, blank=True)
    messages = models.PositiveBigIntegerField(default=0)
    packets = models.PositiveBigIntegerField(default=0)
    bytes = models.PositiveBigIntegerField(default=0, help_text="Of PCM.")
    malformed = models.PositiveIntegerField(default=0)
    unknown = models.PositiveIntegerField(default=0, help_text="Of unknown kinds.")
    unjournaled = models.PositiveIntegerField(
        default=0, help_text="Packets that could not be written to the journal."
    )
    last_fault = models.CharField(max_length=500, blank=True)
    journal_state = models.CharField(
        max_length=8, choices=JournalState, default=JournalState.OPEN
    )
    journal_end = models.CharField(max_length=8, choices=JournalEnd, blank=True)
    journal_records = models.PositiveBigIntegerField(
        null=True,
        blank=True,
        help_text="Of its journal, read for the recording. Empty: not recorded, or not"
        " counted.",
    )
    rolled_bytes = models.PositiveBigIntegerField(
        default=0, help_text="Of its journal, verified in the storage meanwhile."
    )
    rolled_at = models.DateTimeField(
        null=True,
        blank=True,
        help_text="When its journal was last copied. Empty: no part of it is stored.",
    )
    leftovers = models.CharField(
        max_length=255,
        blank=True,
        help_text="Its frames that have no place on the timeline: JSON lines, gzipped.",
    )

    class Meta:
        ordering = ("opened_at",)
        # Sweeps ask every ten seconds; nearly all sockets there ever were are kept.
        indexes = [
            models.Index(
                fields=["journal_state", "opened_at"], name="sockets_by_state"
            ),
            models.Index(
                fields=["call"],
                condition=models.Q(rolled_at__isnull=False),
                name="sockets_rolled",
            ),
        ]

    def __str__(self) -> str:
        return f"socket {self.id}"


# Journals whose audio is not in a recording yet.
UNFINISHED_JOURNALS = (
    Connection.JournalState.OPEN,
    Connection.JournalState.SEALED,
    Connection.JournalState.TORN,
)
