"""What was received: tracks, chunks, tones, losses, recordings."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import models

from calls.audio.pcm import samples_to_us
from calls.instants import instant
from calls.models.call import Call
from calls.models.participant import Participant
from calls.models.sockets import Connection


class Track(models.Model):
    """One participant's audio within one call: timeline, figures and ledger.

    Written by ingest while the call runs, and once more from the journals when the
    recording is finished; `is_final` says which.
    """

    id = models.UUIDField(primary_key=True, editable=False)
    call = models.ForeignKey(Call, on_delete=models.CASCADE, related_name="tracks")
    participant = models.ForeignKey(
        Participant, on_delete=models.CASCADE, related_name="tracks"
    )
    sample_rate = models.PositiveIntegerField()
    origin_us = models.BigIntegerField(
        help_text="Capture time of the first packet, µs since 1970 UTC."
    )
    samples = models.BigIntegerField(default=0, help_text="Length of the timeline.")
    packets = models.PositiveBigIntegerField(default=0)
    bytes = models.PositiveBigIntegerField(default=0, help_text="Of PCM received.")
    silent_packets = models.PositiveBigIntegerField(default=0)
    talk_samples = models.BigIntegerField(default=0)
    gap_count = models.PositiveIntegerField(default=0)
    gap_samples = models.BigIntegerField(default=0)
    stopped_samples = models.BigIntegerField(default=0)
    late = models.PositiveIntegerField(default=0)
    duplicates = models.PositiveIntegerField(default=0)
    discarded = models.PositiveIntegerField(default=0)
    bad_timestamps = models.PositiveIntegerField(default=0)
    first_packet_at = models.DateTimeField()
    last_packet_at = models.DateTimeField()
    jitter_us = models.PositiveBigIntegerField("jitter (µs)", default=0)
    rms_dbfs = models.FloatField("level (dBFS)", null=True, blank=True)
    peak_dbfs = models.FloatField("peak (dBFS)", null=True, blank=True)
    clipped_samples = models.BigIntegerField(default=0)
    completeness = models.FloatField(null=True, blank=True)
    ledger = models.JSONField(default=dict)
    is_final = models.BooleanField(default=False)

    class Meta:
        ordering = ("call", "participant__raw_id")
        indexes = [
            models.Index(fields=["-first_packet_at"], name="tracks_by_time"),
        ]

    def __str__(self) -> str:
        return f"{self.participant}, {self.sample_rate} Hz"

    @property
    def silence_ratio(self) -> float | None:
        """Return the share of received packets that ACS flagged silent, 0 to 1."""
        return self.silent_packets / self.packets if self.packets else None

    @property
    def seconds(self) -> float:
        """Return the length of the timeline in seconds."""
        return self.samples / self.sample_rate

    @property
    def talk_seconds(self) -> float:
        """Return the seconds that were received and not flagged silent."""
        return self.talk_samples / self.sample_rate

    @property
    def gap_seconds(self) -> float:
        """Return the seconds that were expected and not received."""
        return self.gap_samples / self.sample_rate


class AudioChunk(models.Model):
    """Up to 5 s of one track as it came over one socket: the index of stored audio."""

    track = models.ForeignKey(Track, on_delete=models.CASCADE, related_name="chunks")
    connection = models.ForeignKey(
        Connection, on_delete=models.CASCADE, related_name="chunks"
    )
    number = models.PositiveIntegerField(help_text="Start of the chunk ÷ 5 s.")
    start_sample = models.BigIntegerField()
    samples = models.PositiveIntegerField(help_text="Received samples in it.")
    packets = models.PositiveIntegerField()
    silent_packets = models.PositiveIntegerField()

    class Meta:
        ordering = ("track", "number")
        constraints = [
            models.UniqueConstraint(
                fields=["track", "connection", "number"], name="one_chunk_per_number"
            )
        ]

    def __str__(self) -> str:
        return f"chunk {self.number}"


class Tone(models.Model):
    """A DTMF tone that a participant pressed. Digits may be of a card."""

    class Source(models.TextChoices):
        """What told of it."""

        MEDIA = "media", "The media socket"
        CALLBACK = "callback", "A callback"
        BOTH = "both", "The media socket and a callback"

    id = models.UUIDField(primary_key=True, editable=False)
    call = models.ForeignKey(Call, on_delete=models.CASCADE, related_name="tones")
    raw_id = models.CharField(
        max_length=255, blank=True, help_text="Empty: the frame named nobody."
    )
    told_by = models.CharField(
        max_length=255,
        blank=True,
        help_text="Who pressed it by the callback, where the frame named nobody.",
    )
    tone = models.CharField(max_length=32)
    at_us = models.BigIntegerField(
        help_text="Capture time, µs since 1970 UTC; the arrival if none was stated."
    )
    is_stamped = models.BooleanField(
        default=True, help_text="The peer stated when it was pressed."
    )
    source = models.CharField(max_length=8, choices=Source, default=Source.MEDIA)
    is_masked = models.BooleanField(
        default=False, help_text="Which key it was is known to nobody any more."
    )

    class Meta:
        ordering = ("call", "at_us")
        # Nobody edits tones; who may see a digit is who may play the recording.
        default_permissions = ()

    def __str__(self) -> str:
        # Never the digit: this ends up in logs and titles.
        return f"tone at {self.at_us}"

    @property
    def pressed_by(self) -> str:
        """Return whose key it was, empty if nobody said."""
        return self.raw_id or self.told_by


class Loss(models.Model):
    """What a track misses behind a place where a journal broke off.

    Everything up to `start_sample` that came over the socket is in the recording. The
    gap behind it is what had been received and was not on disk yet, and what ACS could
    not send while no socket was open; from the outside the two cannot be told apart.
    """

    connection = models.ForeignKey(
        Connection, on_delete=models.CASCADE, related_name="losses"
    )
    track = models.ForeignKey(Track, on_delete=models.CASCADE, related_name="losses")
    start_sample = models.BigIntegerField()
    samples = models.BigIntegerField(
        null=True,
        blank=True,
        help_text="Length of the gap. Empty: nothing of the track came after it, and"
        " nobody knows whether anything should have.",
    )
    is_end = models.BooleanField(
        default=True, help_text="The journal ended there; otherwise it was damaged."
    )

    class Meta:
        ordering = ("connection", "start_sample")
        verbose_name_plural = "losses"
        constraints = [
            models.UniqueConstraint(
                fields=["track", "connection", "start_sample"],
                name="one_loss_per_break",
            )
        ]

    def __str__(self) -> str:
        return f"loss at sample {self.start_sample}"

    @property
    def seconds(self) -> float | None:
        """Return how long the gap is; None if that is not known."""
        return None if self.samples is None else self.samples / self.track.sample_rate

    @property
    def until(self) -> datetime:
        """Return up to what capture time everything is there."""
        track = self.track
        us = track.origin_us + samples_to_us(self.start_sample, track.sample_rate)
        return instant(us)


class RecordingState(models.TextChoices):
    """How far a recording is."""

    VERIFIED = "verified", "Verified"
    FAILED = "failed", "Failed"


class Recording(models.Model):
    """The finished audio file of a track, or the mix of all tracks of a call."""

    id = models.UUIDField(primary_key=True, editable=False)
    call = models.ForeignKey(Call, on_delete=models.CASCADE, related_name="recordings")
    track = models.OneToOneField(
        Track,
        null=True,
        blank=True,
        on_delete=models.CASCADE,
        related_name="recording",
        help_text="Empty for the mix of all tracks.",
    )
    state = models.CharField(max_length=8, choices=RecordingState)
    error = models.CharField(max_length=500, blank=True)
    audio = models.CharField(max_length=255, help_text="Name in storage: FLAC.")
    peaks = models.CharField(max_length=255, blank=True)
    manifest = models.CharField(max_length=255, blank=True)
    leftovers = models.CharField(
        max_length=255,
        blank=True,
        help_text="Received frames that have no place on the timeline: JSON lines,"
        " gzipped.",
    )
    sample_rate = models.PositiveIntegerField()
    samples = models.BigIntegerField()
    origin_us = models.BigIntegerField()
    audio_bytes = models.BigIntegerField()
    audio_sha256 = models.CharField("SHA-256 of the file", max_length=64)
    pcm_sha256 = models.CharField("SHA-256 of the 16-bit PCM", max_length=64)
    verified_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("call", "track_id")
        indexes = [
            models.Index(fields=["-verified_at"], name="recordings_by_time"),
        ]

    def __str__(self) -> str:
        return self.audio

    @property
    def seconds(self) -> float:
        """Return the length in seconds."""
        return self.samples / self.sample_rate

    def facts(self) -> dict[str, Any]:
        """Return what a player needs to know."""
        return {
            "id": str(self.id),
            "seconds": self.seconds,
            "origin_us": self.origin_us,
            "sample_rate": self.sample_rate,
        }
