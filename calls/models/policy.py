"""What becomes of a call that rings: rules in order.

`calls.policy` decides; here is what staff write down, and what is wrong with it.
"""

from __future__ import annotations

import re
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models

from calls.models.profiles import StreamingProfile
from calls.policy.patterns import PatternError, patterns_of
from calls.raw_ids import NotAnIdError, raw_id_read

_WEEKDAYS = re.compile("1?2?3?4?5?6?7?")


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
