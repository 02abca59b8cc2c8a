"""The page “What would happen”: a call that is only imagined, and its reasons."""

from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from itertools import zip_longest
from typing import Any

from django import forms
from django.http import QueryDict
from django.utils import timezone
from unfold.widgets import UnfoldAdminTextInputWidget

from calls import formats
from calls.models import AnswerRule, StreamingProfile
from calls.policy import words as policy_words
from calls.policy.deciding import Considered, Outcome, Ring, forecast
from calls.raw_ids import LIMIT, NotAnIdError, raw_id_read

MINUTE = "%Y-%m-%dT%H:%M"
_RAW_PREFIXES = ("4:", "8:", "28:")


class PartyField(forms.CharField):
    """A phone number or a raw id; empty if it is not known."""

    def clean(self, value: Any) -> str:
        """Return the raw id that was meant."""
        given: str = super().clean(value)
        try:
            return raw_id_read(given) if given else ""
        except NotAnIdError as exc:
            # Such as 4:anonymous, which calls but cannot be called.
            if given.startswith(_RAW_PREFIXES) and " " not in given:
                return given
            raise forms.ValidationError(str(exc)) from exc


class ForecastForm(forms.Form):
    """Who calls whom, and when."""

    calling = PartyField(
        label="From",
        required=False,
        max_length=LIMIT,
        widget=UnfoldAdminTextInputWidget(attrs={"placeholder": "+1 206 555 0100"}),
    )
    called = PartyField(
        label="To",
        required=False,
        max_length=LIMIT,
        widget=UnfoldAdminTextInputWidget(attrs={"placeholder": "+1 800 555 0199"}),
    )
    at = forms.DateTimeField(
        label="When",
        required=False,
        input_formats=[MINUTE, f"{MINUTE}:%S"],
        widget=UnfoldAdminTextInputWidget(attrs={"type": "datetime-local"}),
    )


@dataclass(frozen=True, slots=True)
class Line:
    """A rule as the page shows it."""

    place: int
    rule: AnswerRule
    summary: str
    matched: bool | None
    why: str


@dataclass(frozen=True, slots=True)
class Fate:
    """An outcome as the page shows it."""

    chance: str
    is_sure: bool
    rule: AnswerRule | None
    does: str
    told: list[str]
    profile: StreamingProfile | None
    retention: str


def forecast_context(query: QueryDict) -> dict[str, Any]:
    """Return what the page shows for a query; the empty form for none."""
    now = timezone.localtime()
    context: dict[str, Any] = {"zone": timezone.get_current_timezone_name()}
    if not set(query) & set(ForecastForm.base_fields):
        return context | {"form": ForecastForm(initial={"at": now.strftime(MINUTE)})}
    given = query.copy()
    given["at"] = query.get("at") or now.strftime(MINUTE)
    form = ForecastForm(given)
    if not form.is_valid():
        return context | {"form": form}
    asked = form.cleaned_data
    ring = Ring(asked["calling"], asked["called"], asked["at"] or now)
    return context | {"form": form, **_found(ring)}


def _found(ring: Ring) -> dict[str, Any]:
    rules = list(AnswerRule.objects.in_order())
    found = forecast(ring, rules)
    default = StreamingProfile.objects.filter(is_default=True).first()
    return {
        "parties": (
            formats.party(ring.from_raw_id) or "somebody unknown",
            formats.party(ring.to_raw_id) or "a number unknown",
        ),
        "moment": _moment(ring.at),
        "fates": [_fate(each, default) for each in found.outcomes],
        "lines": [
            _line(place, rule, considered)
            for place, (rule, considered) in enumerate(
                zip_longest(rules, found.considered), start=1
            )
        ],
    }


def _line(place: int, rule: AnswerRule, considered: Considered | None) -> Line:
    summary = policy_words.summary(rule)
    if considered is None:
        why = "Not asked: it is decided before."
        return Line(place, rule, summary, None, why)
    why = considered.why
    if considered.matched and rule.share < 100:
        why += f" It takes {rule.share} % of such calls."
    return Line(place, rule, summary, considered.matched, why)


def _percent(chance: Fraction) -> str:
    """Return a chance in percent with a decimal if it needs one."""
    if chance < Fraction(1, 10):
        return "< 0.1 %"
    return f"{float(chance):.1f} %".replace(".0 ", " ")


def _moment(at: datetime) -> str:
    return f"{timezone.localtime(at):%A, %Y-%m-%d %H:%M}"


def _fate(outcome: Outcome, default: StreamingProfile | None) -> Fate:
    answers = outcome.action == AnswerRule.Action.ANSWER
    profile = outcome.profile or default or StreamingProfile(name="Default")
    return Fate(
        chance=_percent(outcome.chance),
        is_sure=outcome.chance == 100,
        rule=outcome.rule,
        does=policy_words.action_words(outcome.rule),
        told=policy_words.told(outcome.rule, profile),
        profile=profile if answers else None,
        retention=policy_words.retention_words(profile) if answers else "",
    )
