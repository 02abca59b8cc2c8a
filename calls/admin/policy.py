"""Answering rules: their order, their forms, and what would happen by them."""

from functools import cache
from typing import Any
from zoneinfo import available_timezones

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import Max, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display
from unfold.widgets import (
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminSelect2Widget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
)

from calls.admin.auditing import change_note
from calls.admin.base import ConsoleAdmin
from calls.admin.forecast import forecast_context
from calls.models import AnswerRule, StreamingProfile
from calls.models.policy import default_time_zone
from calls.policy import words as policy_words
from calls.policy.review import oddities

FORECAST = "What would happen"
STEPS = {"up": -1, "down": 1}
# What zoneinfo finds beside the zones that people mean.
_NO_PLACES = (
    "posix/",
    "right/",
    "Etc/",
    "SystemV/",
    "localtime",
    "Factory",
    "posixrules",
)


@cache
def zones() -> tuple[str, ...]:
    """Return the names of the time zones that this machine knows."""
    found = {name for name in available_timezones() if not name.startswith(_NO_PLACES)}
    return tuple(sorted(found))


class AnswerRuleForm(forms.ModelForm):  # type: ignore[type-arg] # not at run time
    """A rule, with days to tick and time zones to choose from."""

    weekdays = forms.MultipleChoiceField(
        choices=[(str(day), name) for day, name in enumerate(policy_words.DAYS, 1)],
        required=False,
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
        help_text=AnswerRule._meta.get_field("weekdays").help_text,
    )
    time_zone = forms.ChoiceField(
        widget=UnfoldAdminSelect2Widget,
        help_text=AnswerRule._meta.get_field("time_zone").help_text,
    )

    class Meta:
        model = AnswerRule
        exclude = ("priority",)  # noqa: DJ006 the admin's fieldsets name the fields
        # Not Django's own clock: it warns of a time zone that is not the rule's.
        widgets = {
            "note": UnfoldAdminTextareaWidget(attrs={"rows": 2}),
            "starts_at": UnfoldAdminTextInputWidget(attrs={"type": "time"}),
            "ends_at": UnfoldAdminTextInputWidget(attrs={"type": "time"}),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.initial["weekdays"] = list(self.initial.get("weekdays") or "")
        zone = self.fields["time_zone"]
        assert isinstance(zone, forms.ChoiceField)  # noqa: S101 declared above
        zone.initial = default_time_zone()
        # A zone that this machine does not know stays, and is said to be none.
        names = dict.fromkeys((*zones(), self.instance.time_zone))
        zone.choices = [(name, name) for name in names]

    def clean_weekdays(self) -> str:
        """Return the days as the model keeps them: digits in order."""
        return "".join(sorted(self.cleaned_data["weekdays"]))


@admin.register(AnswerRule)
class AnswerRuleAdmin(ConsoleAdmin):
    """Rules from the top: the first that matches decides what becomes of a call."""

    form = AnswerRuleForm
    list_display = ("place", "shown_name", "what", "shown_state", "order")
    list_display_links = ("shown_name",)
    list_before_template: Any = "admin/calls/rules_before.html"
    change_form_outer_before_template: Any = "admin/calls/rule_before.html"
    sortable_by = ()
    actions = ("switch_on", "switch_off")
    save_as = True
    fieldsets = (
        (None, {"fields": (("name", "enabled"), "note")}),
        (_("Which calls"), {"fields": (("called", "calling"),)}),
        (
            _("When"),
            {"fields": (("starts_at", "ends_at"), "weekdays", "time_zone")},
        ),
        (
            _("What becomes of them"),
            {"fields": ("action", "profile", "reject_reason", "target", "share")},
        ),
    )
    # Alpine's expressions: a field is shown while the action needs it.
    conditional_fields = {
        "profile": "action == 'answer'",
        "reject_reason": "action == 'reject'",
        "target": "action == 'redirect'",
    }

    class Media:
        js = ("calls/policy.js",)

    # --- the list -----------------------------------------------------------------

    def get_queryset(self, request: HttpRequest) -> QuerySet[AnswerRule]:
        """Return rules in the order in which they are asked."""
        rules: QuerySet[AnswerRule] = super().get_queryset(request)
        return rules.select_related("profile")

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        """Return the list, each row with its place and what is odd about it."""
        found = super().get_changelist_instance(request)
        rules = list(AnswerRule.objects.in_order())
        odd = oddities(rules)
        places = {rule.pk: place for place, rule in enumerate(rules, start=1)}
        may_move = self.has_change_permission(request)
        for row in found.result_list:
            row.place = places.get(row.pk)
            row.oddities = odd.get(row.pk, [])
            row.last_place = len(rules) if may_move else 0
        return found

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> Any:
        """Show the list, and what becomes of calls that no rule matches."""
        more = {"default": default_words()}
        response: HttpResponse = super().changelist_view(
            request, (extra_context or {}) | more
        )
        return response

    @admin.display(description=_("#"))
    def place(self, row: Any) -> str:
        """Show when the rule is asked."""
        return str(row.place)

    @admin.display(description=_("Rule"))
    def shown_name(self, row: AnswerRule) -> str:
        """Show the name."""
        return row.name

    @admin.display(description=_("What it does"))
    def what(self, row: Any) -> SafeString:
        """Show the rule as a sentence, and what is odd about it."""
        odd = format_html_join(
            "", '<div class="console-odd">{}</div>', ((each,) for each in row.oddities)
        )
        return format_html(
            '<div class="console-rule">{}{}</div>', policy_words.summary(row), odd
        )

    @display(
        description=_("State"),  # type: ignore[arg-type] # Unfold knows no lazy text
        label={"on": "success", "off": "", "odd": "danger"},
    )
    def shown_state(self, row: AnswerRule) -> tuple[str, str]:
        """Show whether the rule is applied."""
        if not row.enabled:
            return "off", "Off"
        return ("odd", "Fault") if row.faults() else ("on", "On")

    @admin.display(description=_("Order"))
    def order(self, row: Any) -> str | SafeString:
        """Show buttons that move the rule, each a POST of its own."""
        shown = [
            (way, reverse("admin:calls_answerrule_move", args=[row.pk, way]))
            for way in STEPS
        ]
        ends = {"up": row.place == 1, "down": row.place == row.last_place}
        if not row.last_place:
            return ""
        buttons = (
            (
                url,
                f"{way}-{row.pk}",
                f"Move “{row.name}” {way}",
                "disabled" if ends[way] else "",
                f"arrow_{way}ward",
            )
            for way, url in shown
        )
        return format_html_join(
            "",
            '<button class="console-move" formaction="{}" id="{}"'
            ' formmethod="post" aria-label="{}" {}>'
            '<span class="material-symbols-outlined" aria-hidden="true">{}</span>'
            "</button>",
            buttons,
        )

    @admin.action(description="Switch on", permissions=["change"])
    def switch_on(self, request: HttpRequest, rules: QuerySet[AnswerRule]) -> None:
        """Let the chosen rules be asked."""
        number = switch(request, rules, enabled=True)
        self.message_user(request, f"{number} switched on.")

    @admin.action(description="Switch off", permissions=["change"])
    def switch_off(self, request: HttpRequest, rules: QuerySet[AnswerRule]) -> None:
        """Keep the chosen rules, but do not ask them."""
        number = switch(request, rules, enabled=False)
        self.message_user(request, f"{number} switched off.")

    # --- pages of its own -----------------------------------------------------------

    def get_urls(self) -> list[URLPattern]:
        """Add the moves and the page “What would happen”."""
        wrap = self.admin_site.admin_view
        own = [
            path(
                "what-would-happen/",
                wrap(self.forecast_view),
                name="calls_answerrule_forecast",
            ),
            path(
                "<int:rule_id>/move/<str:way>/",
                wrap(self.move_view),
                name="calls_answerrule_move",
            ),
        ]
        return [*own, *super().get_urls()]

    def move_view(self, request: HttpRequest, rule_id: int, way: str) -> HttpResponse:
        """Move a rule by one place and go back to its button."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        if not self.has_change_permission(request):
            raise PermissionDenied
        if way not in STEPS:
            raise Http404
        with transaction.atomic():
            rule = rule_move(rule_id, STEPS[way])
            change_note(request, rule, {"how": f"moved {way}"})
        messages.success(request, f"“{rule.name}” was moved {way}.")
        back = reverse("admin:calls_answerrule_changelist")
        return redirect(f"{back}#{way}-{rule_id}")

    def forecast_view(self, request: HttpRequest) -> HttpResponse:
        """Show what the rules would do with a call, by GET: the address can be kept."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        context = self.admin_site.each_context(request) | forecast_context(request.GET)
        # Without `opts`, which would call the page by the name of the list.
        context["title"] = FORECAST
        return TemplateResponse(request, "admin/calls/forecast.html", context)

    def save_model(
        self, request: HttpRequest, obj: Any, form: Any, change: bool
    ) -> None:
        """Save; a new rule is asked last."""
        if not change:
            last = AnswerRule.objects.aggregate(last=Max("priority"))["last"]
            obj.priority = (last or 0) + 1
        super().save_model(request, obj, form, change)


def switch(request: HttpRequest, rules: QuerySet[AnswerRule], *, enabled: bool) -> int:
    """Switch rules on or off; return how many were not so before."""
    with transaction.atomic():
        changed = list(rules.exclude(enabled=enabled).select_for_update(of=("self",)))
        for rule in changed:
            fields = {"enabled": [rule.enabled, enabled]}
            change_note(request, rule, {"how": "changed", "fields": fields})
        ids = [rule.pk for rule in changed]
        return AnswerRule.objects.filter(pk__in=ids).update(enabled=enabled)


def rule_move(rule_id: int, step: int) -> AnswerRule:
    """Move a rule `step` places down (or up), number all anew, and return it.

    At the end of the list it stays. Raises `Http404` if there is no such rule.
    """
    with transaction.atomic():
        # All are locked: two who move at once would else number the same list twice.
        rules = list(AnswerRule.objects.order_by("priority", "pk").select_for_update())
        at = next((at for at, rule in enumerate(rules) if rule.pk == rule_id), None)
        if at is None:
            raise Http404
        rule = rules.pop(at)
        rules.insert(max(0, at + step), rule)
        for priority, each in enumerate(rules, start=1):
            each.priority = priority
        AnswerRule.objects.bulk_update(rules, ["priority"])
    return rule


def default_words() -> dict[str, Any]:
    """Return what becomes of calls that no rule matches; makes no profile by itself."""
    marked = StreamingProfile.objects.filter(is_default=True).first()
    profile = marked or StreamingProfile(name="Default")
    return {"profile": profile, "words": policy_words.profile_words(profile)}
