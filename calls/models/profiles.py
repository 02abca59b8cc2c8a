"""How a call is streamed, transcribed and kept: what staff write down of that."""

from __future__ import annotations

from django.conf import settings
from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.db import models

from calls.addresses import is_base_url
from calls.alarms.thresholds import ThresholdError, profile_thresholds
from calls.handler_names import handler_faults
from calls.locales import is_locale


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
