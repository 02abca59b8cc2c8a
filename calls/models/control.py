"""Orders to ACS and what ACS told us."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.utils import timezone

from calls.models.call import Call


class CommandKind(models.TextChoices):
    """What ACS is asked to do."""

    ANSWER = "answer", "Answer the call"
    REJECT = "reject", "Reject the call"
    REDIRECT = "redirect", "Redirect the call"
    PLACE_CALL = "place_call", "Place a call"
    CONNECT_CALL = "connect_call", "Connect to a running call"
    START_STREAMING = "start_streaming", "Start streaming"
    STOP_STREAMING = "stop_streaming", "Stop streaming"
    PAUSE = "pause", "Pause recording"
    RESUME = "resume", "Resume recording"
    START_TRANSCRIPTION = "start_transcription", "Start transcription"
    STOP_TRANSCRIPTION = "stop_transcription", "Stop transcription"
    UPDATE_TRANSCRIPTION = "update_transcription", "Change transcription's language"
    PLAY_PROMPT = "play_prompt", "Play a prompt into the call"
    STOP_AUDIO = "stop_audio", "Stop what we play into the call"
    START_TONES = "start_tones", "Start recognising tones"
    STOP_TONES = "stop_tones", "Stop recognising tones"
    HANG_UP = "hang_up", "Hang up for everyone"
    LEAVE = "leave", "Leave the call"
    MUTE = "mute", "Mute a participant"
    HOLD = "hold", "Put a participant on hold"
    UNHOLD = "unhold", "Take a participant off hold"
    ADD_PARTICIPANT = "add_participant", "Add a participant"
    REMOVE_PARTICIPANT = "remove_participant", "Remove a participant"
    TRANSFER = "transfer", "Transfer the call"


# After a stop nobody wants audio until a start.
STARTS = (CommandKind.START_STREAMING, CommandKind.RESUME)
STOPS = (CommandKind.STOP_STREAMING, CommandKind.PAUSE)


class CommandState(models.TextChoices):
    """queued → sent → confirmed | failed | timed out. Only evidence confirms."""

    QUEUED = "queued", "Queued"
    SENT = "sent", "Sent"
    CONFIRMED = "confirmed", "Confirmed"
    FAILED = "failed", "Failed"
    TIMED_OUT = "timed_out", "Timed out"


class Evidence(models.TextChoices):
    """What settled a command."""

    NONE = "", "Nothing"
    CALLBACK = "callback", "A callback of ACS"
    MEDIA = "media", "Media seen here"
    ASKED = "asked", "ACS, when it was asked"
    ANSWER = "answer", "ACS's answer to the request"
    CONCLUDED = "concluded", "Concluded from silence or from the call's end"


OPEN_COMMAND_STATES = (CommandState.QUEUED, CommandState.SENT)


class CommandQuerySet(models.QuerySet["StreamCommand"]):
    """Reads named for what they mean."""

    def open(self) -> CommandQuerySet:
        """Return commands that have neither succeeded nor failed yet."""
        return self.filter(state__in=OPEN_COMMAND_STATES)


class StreamCommand(models.Model):
    """One order to ACS: who, when, why, state, result.

    `id` travels as ACS's `operationContext`, so the callback that proves the order was
    carried out names it.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    call = models.ForeignKey(Call, on_delete=models.CASCADE, related_name="commands")
    kind = models.CharField(max_length=20, choices=CommandKind)
    state = models.CharField(
        max_length=10, choices=CommandState, default=CommandState.QUEUED, db_index=True
    )
    arguments = models.JSONField(
        default=dict,
        blank=True,
        help_text="What the order is about: a raw id, a language, a reason.",
    )
    bulk_id = models.UUIDField(
        null=True,
        blank=True,
        editable=False,
        db_index=True,
        help_text="The same for all commands of one bulk action.",
    )
    asked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        help_text="Empty: the system, by the call's profile.",
    )
    why = models.CharField(max_length=255, blank=True)
    asked_at = models.DateTimeField(default=timezone.now)
    due_at = models.DateTimeField(
        default=timezone.now, help_text="Not sent before this: time of the next try."
    )
    not_before = models.DateTimeField(
        null=True,
        blank=True,
        help_text="Its turn under the rate limit; empty: it could go at once.",
    )
    sent_at = models.DateTimeField(null=True, blank=True)
    accepted_at = models.DateTimeField(
        null=True, blank=True, help_text="When ACS took it. That proves nothing yet."
    )
    settled_at = models.DateTimeField(null=True, blank=True)
    is_unsure = models.BooleanField(
        default=False,
        help_text="A request may have reached ACS although no answer came.",
    )
    evidence = models.CharField(
        max_length=10, choices=Evidence, default=Evidence.NONE, blank=True
    )
    attempts = models.PositiveSmallIntegerField(default=0)
    result_code = models.IntegerField(null=True, blank=True)
    result_subcode = models.IntegerField(null=True, blank=True)
    result = models.CharField(max_length=500, blank=True, help_text="In words.")

    objects = CommandQuerySet.as_manager()

    class Meta:
        ordering = ("-asked_at",)

    def __str__(self) -> str:
        return f"{self.get_kind_display()}: {self.get_state_display()}"


class CallEvent(models.Model):
    """One callback or Event Grid event, stored as received."""

    class Source(models.TextChoices):
        """Who sent it."""

        EVENT_GRID = "eventgrid", "Event Grid"
        CALLBACK = "callback", "Callback"

    source = models.CharField(max_length=10, choices=Source)
    event_id = models.CharField(max_length=255)
    kind = models.CharField(
        "type", max_length=128, help_text="Without the prefix Microsoft.Communication."
    )
    call = models.ForeignKey(
        Call, null=True, blank=True, on_delete=models.CASCADE, related_name="events"
    )
    happened_at = models.DateTimeField(null=True, blank=True)
    received_at = models.DateTimeField(default=timezone.now, db_index=True)
    body = models.JSONField()

    class Meta:
        ordering = ("-received_at",)
        constraints = [
            # At-least-once delivery: the event's own id makes it one row.
            models.UniqueConstraint(
                fields=["source", "event_id"], name="one_row_per_event"
            )
        ]

    def __str__(self) -> str:
        return self.kind
