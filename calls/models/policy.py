"""What becomes of a call that rings: rules in order, and how it is streamed.

`calls.policy` decides; here is what staff write down, and what is wrong with it.
"""

from __future__ import annotations

import re
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.conf import settings
from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models

from calls.addresses import is_base_url
from calls.alarms.thresholds import ThresholdError, profile_thresholds
from calls.handler_names import handler_faults
from calls.locales import is_locale
from calls.policy.patterns import PatternError, patterns_of
from calls.raw_ids import NotAnIdError, raw_id_read

_WEEKDAYS = re.compile("1?2?3?4?5?6?7?")


class Retention(models.TextChoices):
    """How long the audio of a call is to be kept."""

    STANDARD = "standard", "Standard: as long as usual"
    SHORT = "short", "Short: only as long as the work needs it"
    LONG = "long", "Long: as evidence, for years"
    HOLD = "hold", "Hold: until somebody lifts the hold"


class TranscriptionStart(models.TextChoices):
    """When ACS transcribes a call."""

    OFF = "off", "Off"
    AT_ANSWER = "at_answer", "When answered"
    ON_DEMAND = "on_demand", "When somebody starts it"


NO_COGNITIVE_ENDPOINT = (
    "ACS cannot transcribe: ACSSTREAM_COGNITIVE_ENDPOINT is not set"
    " (docs/transcription.md)."
)
"""What is said wherever a transcription is wanted and cannot be."""


class StreamingProfile(models.Model):
    """The media options a call is answered with, and how long its audio is kept."""

    class Channels(models.TextChoices):
        """ACS's `audioChannelType`."""

        MIXED = "mixed", "Mixed: one stream of all"
        UNMIXED = "unmixed", "Unmixed: one stream per participant (4 loudest)"

    class SampleRate(models.IntegerChoices):
        """ACS's `audioFormat`: pcm16KMono or pcm24KMono."""

        HZ_16000 = 16_000, "16 kHz"
        HZ_24000 = 24_000, "24 kHz"

    name = models.CharField(max_length=80, unique=True)
    is_default = models.BooleanField(
        "default",
        default=False,
        editable=False,
        help_text="Calls that no answering rule matches are answered with this one.",
    )
    channels = models.CharField(
        max_length=8, choices=Channels, default=Channels.UNMIXED
    )
    sample_rate = models.PositiveIntegerField(
        choices=SampleRate, default=SampleRate.HZ_16000
    )
    start_at_answer = models.BooleanField(
        default=True, help_text="Otherwise streaming starts when somebody starts it."
    )
    bidirectional = models.BooleanField(
        default=False, help_text="Allows audio to be sent into the call."
    )
    dtmf_tones = models.BooleanField("DTMF tones", default=False)
    media_url = models.CharField(
        "media URL",
        max_length=500,
        blank=True,
        help_text="wss://… under which ACS reaches ingest for these calls. Empty:"
        " ACSSTREAM_MEDIA_URL.",
    )
    transcription = models.CharField(
        max_length=10, choices=TranscriptionStart, default=TranscriptionStart.OFF
    )
    locale = models.CharField(
        max_length=20,
        default="en-US",
        blank=True,
        help_text="Language that is spoken, such as en-US or de-DE.",
    )
    intermediate_results = models.BooleanField(
        default=False,
        help_text="Text comes while somebody still speaks, and is corrected later.",
    )
    handler = models.CharField(
        max_length=200,
        blank=True,
        help_text="What hears these calls and speaks into them: echo, prompt, realtime,"
        " or the dotted path of one of your own. Empty: nobody.",
    )
    handler_options = models.JSONField(
        default=dict, blank=True, help_text="For the handler, as JSON."
    )
    tone_recognition = models.BooleanField(
        "recognise tones by callbacks too",
        default=False,
        help_text="ContinuousDtmfRecognition, from when the call is connected: tones"
        " that the media socket does not bring come as callbacks.",
    )
    masks_tones = models.BooleanField(
        "mask digits",
        default=False,
        help_text="Of a pressed key only that it was pressed is kept and shown: card"
        " numbers are in no journal, row or log.",
    )
    alarm_thresholds = models.JSONField(
        default=dict,
        blank=True,
        help_text="Thresholds of alarms that differ from the installation's.",
    )
    retention = models.CharField(
        "retention class",
        max_length=8,
        choices=Retention,
        default=Retention.STANDARD,
        help_text="Written on each call when it rings. Nothing is deleted by class"
        " yet: everything is kept until somebody deletes it.",
    )

    class Meta:
        ordering = ("-is_default", "name")
        constraints = [
            models.UniqueConstraint(
                fields=["is_default"],
                condition=models.Q(is_default=True),
                name="one_default_profile",
            )
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def media_base(self) -> str:
        """Return the URL under which ACS reaches ingest, without a slash at its end."""
        return self.media_url.rstrip("/") or settings.MEDIA_URL_BASE

    @classmethod
    def default(cls) -> StreamingProfile:
        """Return the profile of calls that no rule has another for.

        It is made on first use, so that a new installation answers.
        """
        marked = cls.objects.filter(is_default=True).first()
        if marked:
            return marked
        profile, is_new = cls.objects.get_or_create(
            name="Default", defaults={"is_default": True}
        )
        if not is_new:
            cls.objects.filter(pk=profile.pk).update(is_default=True)
        return profile

    def clean(self) -> None:
        """Refuse what ACS could not use."""
        self.media_url = self.media_url.strip().rstrip("/")
        faults = {}
        if self.media_url and not is_base_url(self.media_url, "ws"):
            faults["media_url"] = (
                "Give a wss:// URL of a host, without query. Plain ws:// is for hosts"
                " on this network only."
            )
        wants_locale = self.transcription != TranscriptionStart.OFF
        if (wants_locale or self.locale) and not is_locale(self.locale):
            faults["locale"] = "Give a language and a region, such as en-US."
        self.handler = self.handler.strip()
        if self.handler_options is None:
            self.handler_options = {}
        faults |= handler_faults(
            self.handler, self.handler_options, is_bidirectional=self.bidirectional
        )
        try:
            profile_thresholds(self.alarm_thresholds)
        except ThresholdError as exc:
            # The form has a field for each of them, and none of this name.
            faults[NON_FIELD_ERRORS] = f"Alarm thresholds: {exc}."
        if faults:
            raise ValidationError(faults)


class AnswerRuleQuerySet(models.QuerySet["AnswerRule"]):
    """Reads named for what they mean."""

    def in_order(self) -> AnswerRuleQuerySet:
        """Return all rules with their profiles, the one that is asked first first."""
        return self.select_related("profile").order_by("priority", "pk")


def default_time_zone() -> str:
    """Return the time zone of a new rule: that of the pages."""
    return settings.TIME_ZONE


class AnswerRule(models.Model):
    """Which calls, and what becomes of them. The first rule that matches decides."""

    class Action(models.TextChoices):
        """What becomes of a call."""

        ANSWER = "answer", "Answer"
        IGNORE = "ignore", "Ignore: let it ring, others may answer"
        REJECT = "reject", "Reject"
        REDIRECT = "redirect", "Redirect"

    class RejectReason(models.TextChoices):
        """ACS's `callRejectReason`: what the caller is told."""

        NONE = "none", "None"
        BUSY = "busy", "Busy"
        FORBIDDEN = "forbidden", "Forbidden"

    name = models.CharField(max_length=80, unique=True)
    priority = models.PositiveIntegerField(
        default=0,
        db_index=True,
        editable=False,
        help_text="The smallest is asked first.",
    )
    enabled = models.BooleanField(default=True)
    note = models.TextField(blank=True, help_text="Why this rule is there.")

    called = models.CharField(
        "called number or id",
        max_length=1000,
        blank=True,
        help_text="Patterns with commas between: +12065550100, +1800*, 8:acs:…*, where"
        " * is anything and ? one character. Empty: any.",
    )
    calling = models.CharField(
        "calling number or id",
        max_length=1000,
        blank=True,
        help_text="The same for who calls. 4:anonymous is who withholds the number.",
    )
    starts_at = models.TimeField("from", null=True, blank=True)
    ends_at = models.TimeField(
        "until",
        null=True,
        blank=True,
        help_text="May be on the next day: 22:00 until 06:00. Both empty: all day.",
    )
    weekdays = models.CharField(
        max_length=7,
        blank=True,
        help_text="Days on which that time begins: Friday 22:00 until 06:00 ends on"
        " Saturday. None chosen: every day.",
    )
    time_zone = models.CharField(
        max_length=64,
        default=default_time_zone,
        help_text="Where these times are told, such as Europe/Berlin. Summer time is"
        " minded.",
    )
    share = models.PositiveSmallIntegerField(
        "share in percent",
        default=100,
        validators=[MinValueValidator(1), MaxValueValidator(100)],
        help_text="Of the calls that match. The rest goes on to the next rule. Drawn"
        " from the ids of the call, so one call always draws the same.",
    )

    action = models.CharField(max_length=8, choices=Action, default=Action.ANSWER)
    profile = models.ForeignKey(
        StreamingProfile,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="rules",
        help_text="How the call is streamed.",
    )
    reject_reason = models.CharField(
        "reason",
        max_length=9,
        choices=RejectReason,
        default=RejectReason.NONE,
        help_text="What the caller is told.",
    )
    target = models.CharField(
        "redirect to",
        max_length=255,
        blank=True,
        help_text="A phone number with its country code, or a raw id: 8:acs:…,"
        " 8:orgid:….",
    )

    objects = AnswerRuleQuerySet.as_manager()

    class Meta:
        verbose_name = "answering rule"
        ordering = ("priority", "pk")

    def __str__(self) -> str:
        return self.name

    def faults(self) -> dict[str, str]:
        """Return what is wrong, by field. A rule with faults is never applied."""
        found = {
            "called": _pattern_fault(self.called),
            "calling": _pattern_fault(self.calling),
            "time_zone": _zone_fault(self.time_zone),
            "share": "" if 1 <= self.share <= 100 else "Give 1 to 100.",
            "weekdays": ""
            if _WEEKDAYS.fullmatch(self.weekdays)
            else "Days are the digits 1 (Monday) to 7, in order.",
            "ends_at": self._window_fault(),
        }
        if self.action == self.Action.ANSWER and self.profile_id is None:
            found["profile"] = "Choose how the call is streamed."
        if self.action == self.Action.REJECT:
            is_known = self.reject_reason in self.RejectReason.values
            found["reject_reason"] = "" if is_known else "Choose a reason."
        if self.action == self.Action.REDIRECT:
            found["target"] = _target_fault(self.target)
        if self.action not in self.Action.values:
            found["action"] = "Choose an action."
        return {name: words for name, words in found.items() if words}

    def _window_fault(self) -> str:
        if (self.starts_at is None) != (self.ends_at is None):
            return "Give both times or neither."
        if self.starts_at is not None and self.starts_at == self.ends_at:
            return "The times are the same. Leave both empty for all day."
        return ""

    def clean(self) -> None:
        """Refuse faults, and write the target as the raw id it means."""
        faults = self.faults()
        if faults:
            raise ValidationError(faults)
        if self.action == self.Action.REDIRECT:
            self.target = raw_id_read(self.target)


def _pattern_fault(text: str) -> str:
    try:
        patterns_of(text)
    except PatternError as exc:
        return str(exc)
    return ""


def _zone_fault(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return f"“{name}” is no time zone. Give a name such as Europe/Berlin or UTC."
    return ""


def _target_fault(text: str) -> str:
    try:
        raw_id_read(text)
    except NotAnIdError as exc:
        return str(exc)
    return ""
