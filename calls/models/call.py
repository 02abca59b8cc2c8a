"""Calls: how each stands, what is wanted of it, and what was received."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta

from django.conf import settings
from django.db import models
from django.db.models.functions import Concat, Lower
from django.utils import timezone

from calls.doors.capability import is_dead
from calls.models.policy import AnswerRule
from calls.models.profiles import (
    NO_COGNITIVE_ENDPOINT,
    Retention,
    StreamingProfile,
    TranscriptionStart,
)
from calls.models.review import Tag
from calls.models.states import (
    END_EVENTS,
    LIVE_STATES,
    STREAMED_STATES,
    ArchiveState,
    CallState,
    Direction,
    StreamingState,
    TranscriptionState,
)


class CallQuerySet(models.QuerySet["Call"]):
    """Reads named for what they mean."""

    def live(self) -> CallQuerySet:
        """Return calls that have not ended."""
        return self.filter(state__in=LIVE_STATES)

    def ended(self) -> CallQuerySet:
        """Return calls that are over, answered or not."""
        return self.exclude(state__in=LIVE_STATES)

    def incomplete(self) -> CallQuerySet:
        """Return calls of which not everything expected was received.

        A call that was to be streamed and of which nothing ever came has no
        completeness, and is the worst of them.
        """
        nothing_came = models.Q(
            completeness=None,
            state=CallState.ENDED,
            streaming_state=StreamingState.FAILED,
        )
        return self.filter(models.Q(completeness__lt=1) | nothing_came)


class Call(models.Model):
    """One ACS call connection.

    The key is ours and is signed into the callback and media URLs, so that a callback
    or a socket finds its call even before ACS's answer has told us its
    `callConnectionId`. Legs of one call may share a `correlationId`; it is no key.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    connection_id = models.CharField(
        "call connection id", max_length=128, unique=True, null=True, blank=True
    )
    server_call_id = models.TextField(blank=True)
    correlation_id = models.CharField(max_length=128, blank=True, db_index=True)
    direction = models.CharField(
        max_length=8, choices=Direction, default=Direction.INBOUND
    )
    from_raw_id = models.CharField("from", max_length=255, blank=True)
    to_raw_id = models.CharField("to", max_length=255, blank=True)
    caller_name = models.CharField(max_length=255, blank=True)
    # The bearer capability to answer the call (8 kB): emptied once used, never logged.
    incoming_call_context = models.TextField(blank=True, editable=False)
    profile = models.ForeignKey(
        StreamingProfile, null=True, blank=True, on_delete=models.SET_NULL
    )
    # ACS fixes it at the answer; the profile may be changed while the call is up.
    is_bidirectional = models.BooleanField(
        null=True,
        editable=False,
        help_text="Whether audio may be sent into the call, as ACS was asked for it."
        " Empty: not known, its profile says.",
    )
    rule = models.ForeignKey(
        AnswerRule,
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="calls",
        help_text="The answering rule that decided. Empty: the default, or none was"
        " asked.",
    )
    retention = models.CharField(
        "retention class",
        max_length=8,
        choices=Retention,
        default=Retention.STANDARD,
        help_text="By the profile, when the call rang.",
    )

    state = models.CharField(
        max_length=12, choices=CallState, default=CallState.RINGING, db_index=True
    )
    rang_at = models.DateTimeField(default=timezone.now, db_index=True)
    connected_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True, db_index=True)
    end_code = models.IntegerField(null=True, blank=True)
    end_subcode = models.IntegerField(null=True, blank=True)
    end_reason = models.CharField(max_length=500, blank=True)

    desired_streaming = models.BooleanField(
        "streaming wanted", default=False, help_text="What was last asked for."
    )
    streaming_state = models.CharField(
        max_length=12, choices=StreamingState, default=StreamingState.OFF
    )
    streaming_reason = models.CharField(max_length=500, blank=True)
    streaming_at = models.DateTimeField(
        "streaming state since",
        null=True,
        blank=True,
        help_text="When the evidence for that state came, by our clock.",
    )

    paused_at = models.DateTimeField(
        null=True,
        blank=True,
        help_text="Since when recording is paused. Empty: it is not.",
    )
    paused_why = models.CharField(max_length=80, blank=True)

    desired_transcription = models.BooleanField("transcription wanted", default=False)
    transcription_state = models.CharField(
        max_length=12, choices=TranscriptionState, default=TranscriptionState.OFF
    )
    transcription_locale = models.CharField(max_length=20, blank=True)
    transcription_reason = models.CharField(max_length=500, blank=True)
    reconciled_at = models.DateTimeField(
        null=True,
        blank=True,
        editable=False,
        help_text="When ACS was last asked what this call is doing.",
    )

    archive_state = models.CharField(
        max_length=12, choices=ArchiveState, default=ArchiveState.NONE, db_index=True
    )
    archive_error = models.CharField(max_length=500, blank=True)
    archive_failed_at = models.DateTimeField(null=True, blank=True)
    # Null for none: SQLite adds such a column without making the table anew, which
    # would cost it the indexes that models do not know of.
    archive_attempts = models.PositiveIntegerField(
        null=True, blank=True, help_text="How often it failed since it last went well."
    )
    archive_retry_at = models.DateTimeField(
        null=True, blank=True, help_text="When it is tried again, if it failed."
    )
    origin_us = models.BigIntegerField(
        null=True,
        blank=True,
        help_text="Capture time of the first packet, µs since 1970 UTC.",
    )
    completeness = models.FloatField(
        null=True, blank=True, help_text="Received share of what was expected, 0 to 1."
    )
    overtalk_ms = models.BigIntegerField(null=True, blank=True)
    last_packet_at = models.DateTimeField(null=True, blank=True)

    # What the archive is filtered and sorted by, kept with the call: a list of a
    # million calls cannot sum up their tracks.
    duration_ms = models.BigIntegerField(
        null=True, blank=True, help_text="Of a call that is over."
    )
    silence_ratio = models.FloatField(
        null=True, blank=True, help_text="Silent share of all packets, 0 to 1."
    )
    people_count = models.PositiveIntegerField(null=True, blank=True)
    people_text = models.TextField(
        blank=True,
        editable=False,
        help_text="Raw ids and names of all participants, one to a line.",
    )
    alarm_count = models.PositiveIntegerField(default=0)
    alarm_severity = models.PositiveSmallIntegerField(
        default=0, help_text="Of the worst alarm the call ever had; 0 is none."
    )
    has_transcript = models.BooleanField(default=False)
    # By the database itself, so that it is true whoever writes the parts.
    search_text = models.GeneratedField(
        expression=Lower(
            Concat(
                "from_raw_id",
                models.Value("\n"),
                "to_raw_id",
                models.Value("\n"),
                "caller_name",
                models.Value("\n"),
                "people_text",
                output_field=models.TextField(),
            )
        ),
        output_field=models.TextField(),
        db_persist=True,
    )

    # What people make of it.
    tags = models.ManyToManyField(Tag, blank=True, related_name="calls")
    rating = models.PositiveSmallIntegerField(
        null=True, blank=True, help_text="1, bad, to 5, good."
    )
    needs_follow_up = models.BooleanField("follow-up", default=False)
    follow_up_assignee = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="follow_ups",
    )

    objects = CallQuerySet.as_manager()

    class Meta:
        ordering = ("-rang_at",)
        constraints = [
            models.CheckConstraint(
                condition=models.Q(rating=None) | models.Q(rating__range=(1, 5)),
                name="rating_is_1_to_5",
            )
        ]
        # PostgreSQL has more of them (migration 0007_archive, docs/decisions/0012).
        indexes = [
            models.Index(fields=["state", "-rang_at"], name="calls_by_state"),
            models.Index(
                fields=["streaming_state", "-rang_at"], name="calls_by_streaming"
            ),
            models.Index(fields=["archive_state", "-rang_at"], name="calls_by_archive"),
            models.Index(fields=["from_raw_id", "-rang_at"], name="calls_by_caller"),
            models.Index(
                fields=["-alarm_severity", "-rang_at"], name="calls_by_severity"
            ),
            models.Index(
                fields=["-rang_at"],
                condition=models.Q(needs_follow_up=True),
                name="calls_to_follow_up",
            ),
            models.Index(
                fields=["-rang_at"],
                condition=models.Q(has_transcript=True),
                name="calls_transcribed",
            ),
        ]
        permissions = [
            ("control_streaming", "Can start and stop streaming"),
            ("pause_recording", "Can pause and resume recording"),
            ("control_transcription", "Can start and stop transcription"),
            ("hang_up", "Can hang up a call"),
            ("place_call", "Can place calls and connect to running ones"),
            ("control_participants", "Can mute, hold, add and remove participants"),
            ("transfer_call", "Can transfer a call"),
            ("run_preflight", "Can run the preflight checks"),
            ("play_recording", "Can play recordings"),
            ("download_recording", "Can download recordings"),
            ("listen_live", "Can listen to live calls"),
            ("play_prompt", "Can play prompts into calls and stop them"),
            ("speak_live", "Can speak into live calls"),
            ("read_transcript", "Can read, search and export transcripts"),
            ("review_call", "Can note, tag, rate and follow up calls"),
        ]

    def __str__(self) -> str:
        return f"{self.from_raw_id or '?'} → {self.to_raw_id or '?'}"

    @property
    def is_live(self) -> bool:
        """Say whether the call has not ended."""
        return self.state in LIVE_STATES

    def is_secret_dead(self, now: datetime) -> bool:
        """Say whether the call is over for so long that its secret opens nothing.

        Counted from when we last heard of it: what ACS says of times may be anything,
        and an answer that failed long before may have ended nothing.
        """
        if self.ended_at is None:
            return False
        ends = self.events.filter(kind__in=END_EVENTS)
        heard = ends.aggregate(at=models.Max("received_at"))["at"]
        is_told = self.end_code is not None
        return is_dead(ended_at=heard or self.ended_at, is_told=is_told, now=now)

    @property
    def hears_us(self) -> bool:
        """Say whether ACS plays what we send: as it was asked to at the answer."""
        if self.is_bidirectional is not None:
            return self.is_bidirectional
        return self.profile is not None and self.profile.bidirectional

    @property
    def is_streamed(self) -> bool:
        """Say whether a socket is there by which the call could hear us now."""
        return self.streaming_state in STREAMED_STATES

    def stream_as(self, profile: StreamingProfile) -> None:
        """Let the call, not saved yet, show what is wanted of it once it is up."""
        self.profile = profile
        self.retention = profile.retention
        self.is_bidirectional = profile.bidirectional
        if profile.start_at_answer:
            self.desired_streaming = True
            self.streaming_state = StreamingState.REQUESTED
        if profile.transcription != TranscriptionStart.OFF:
            self.transcription_locale = profile.locale
        if profile.transcription == TranscriptionStart.AT_ANSWER:
            self.desired_transcription = True
            self.transcription_state = TranscriptionState.REQUESTED
            if not settings.COGNITIVE_ENDPOINT:
                self.transcription_state = TranscriptionState.FAILED
                self.transcription_reason = NO_COGNITIVE_ENDPOINT

    def duration(self, now: datetime) -> timedelta:
        """Return how long the call has been connected, or was."""
        start = self.connected_at or self.rang_at
        return max((self.ended_at or now) - start, timedelta())
