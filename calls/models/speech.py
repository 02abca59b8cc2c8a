"""What was said in words, and what we said into calls."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from calls.models.call import Call
from calls.models.control import StreamCommand


class Prompt(models.Model):
    """Audio of the library that can be played into calls.

    Kept ready at both rates of ACS, levelled: what is played is exactly these samples.
    A prompt that was played is never removed, only withdrawn, so that the archive can
    say what was heard.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(max_length=80, unique=True)
    note = models.TextField(blank=True, help_text="What it is for; what is said in it.")
    is_withdrawn = models.BooleanField(
        "withdrawn", default=False, help_text="Kept, and offered nowhere."
    )
    source_name = models.CharField(max_length=255, blank=True, editable=False)
    source_format = models.CharField(max_length=40, blank=True, editable=False)
    audio_16k = models.CharField(max_length=255, editable=False)
    audio_24k = models.CharField(max_length=255, editable=False)
    sha256_16k = models.CharField(max_length=64, editable=False)
    sha256_24k = models.CharField(max_length=64, editable=False)
    duration_ms = models.PositiveIntegerField(editable=False)
    source_level_dbfs = models.FloatField(
        null=True, editable=False, help_text="Active level of the file that was sent."
    )
    level_dbfs = models.FloatField(editable=False)
    added_at = models.DateTimeField(default=timezone.now, editable=False)
    added_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        blank=True,
        editable=False,
        on_delete=models.SET_NULL,
        related_name="+",
    )

    class Meta:
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name


class Utterance(models.Model):
    """One thing that we said into a call, from asking to the last sample heard."""

    class Kind(models.TextChoices):
        """Who spoke."""

        PROMPT = "prompt", _("Prompt")
        TALK = "talk", _("Somebody at the console")
        HANDLER = "handler", _("Handler")

    class State(models.TextChoices):
        """How far it is."""

        QUEUED = "queued", _("Queued")
        PLAYING = "playing", _("Playing")
        PLAYED = "played", _("Played")
        STOPPED = "stopped", _("Stopped")
        FAILED = "failed", _("Failed")

    id = models.UUIDField(primary_key=True, editable=False)
    call = models.ForeignKey(Call, on_delete=models.CASCADE, related_name="utterances")
    kind = models.CharField(max_length=8, choices=Kind)
    state = models.CharField(max_length=8, choices=State)
    name = models.CharField(max_length=200, help_text="Of the prompt, user or handler.")
    prompt = models.ForeignKey(
        Prompt,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="utterances",
    )
    command = models.ForeignKey(
        StreamCommand,
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="utterances",
    )
    queued_at = models.DateTimeField()
    start_us = models.BigIntegerField(
        null=True,
        blank=True,
        help_text="When its first sample was heard, by the call's capture clock, µs"
        " since 1970 UTC.",
    )
    sent_ms = models.PositiveBigIntegerField(default=0)
    played_ms = models.PositiveBigIntegerField(
        default=0, help_text="Heard in the call, as far as we can know."
    )
    underruns = models.PositiveIntegerField(default=0)
    reason = models.CharField(max_length=500, blank=True)

    class Meta:
        ordering = ("call", "queued_at")
        default_permissions = ("view",)

    def __str__(self) -> str:
        return f"{self.name}: {self.get_state_display()}"


class TranscriptSegment(models.Model):
    """A piece of what one participant said, in words, as it was told us last."""

    class Source(models.TextChoices):
        """Who heard it."""

        ACS = "acs", _("ACS transcription")
        REALTIME = "realtime", _("Realtime service")

    id = models.UUIDField(primary_key=True, editable=False)
    call = models.ForeignKey(Call, on_delete=models.CASCADE, related_name="segments")
    raw_id = models.CharField(
        max_length=255, blank=True, help_text="Who spoke; empty: nobody was named."
    )
    source = models.CharField(max_length=8, choices=Source)
    start_us = models.BigIntegerField(
        help_text="Capture time of its first word, µs since 1970 UTC."
    )
    duration_us = models.BigIntegerField(default=0)
    text = models.TextField()
    words = models.JSONField(
        default=list,
        blank=True,
        help_text="[text, start in µs after start_us, duration in µs] each.",
    )
    confidence = models.FloatField(null=True, blank=True)
    sentiment = models.CharField(max_length=32, blank=True)
    language = models.CharField(max_length=35, blank=True)
    is_cut = models.BooleanField(
        default=False, help_text="Interrupted: the rest of it was heard by nobody."
    )
    raw = models.JSONField(
        default=dict, blank=True, help_text="Offset and duration as they were told."
    )

    class Meta:
        ordering = ("call", "start_us", "id")
        indexes = [
            models.Index(fields=["call", "start_us"], name="segments_in_order"),
            models.Index(fields=["-start_us"], name="segments_by_time"),
        ]
        default_permissions = ("view",)

    def __str__(self) -> str:
        # Never the words: this ends up in logs and titles.
        return f"segment at {self.start_us}"
