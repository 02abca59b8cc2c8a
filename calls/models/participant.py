"""Who is in a call."""

from __future__ import annotations

from django.db import models

from calls.models.call import Call


class Participant(models.Model):
    """One raw id in one call; mixed audio is the pseudo-participant `mixed`."""

    id = models.UUIDField(primary_key=True, editable=False)
    call = models.ForeignKey(
        Call, on_delete=models.CASCADE, related_name="participants"
    )
    raw_id = models.CharField(max_length=255, db_index=True)
    display_name = models.CharField(max_length=255, blank=True)
    joined_at = models.DateTimeField(null=True, blank=True)
    left_at = models.DateTimeField(null=True, blank=True)
    is_muted = models.BooleanField(default=False)
    is_on_hold = models.BooleanField(default=False)
    sequence_number = models.IntegerField(
        default=-1, help_text="Of the ParticipantsUpdated last applied."
    )

    class Meta:
        ordering = ("raw_id",)
        constraints = [
            models.UniqueConstraint(
                fields=["call", "raw_id"], name="one_participant_per_raw_id"
            )
        ]
        indexes = [
            models.Index(fields=["-joined_at", "raw_id"], name="people_by_time"),
        ]

    def __str__(self) -> str:
        return self.display_name or self.raw_id
