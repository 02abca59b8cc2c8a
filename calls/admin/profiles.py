"""Streaming profiles: how a call is answered."""

from collections.abc import Callable
from typing import Any, TypeVar, cast

from django.contrib import admin
from django.db import transaction
from django.db.models import Count, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from unfold import decorators
from unfold.decorators import display
from unfold.forms import BaseDialogForm

from calls import formats
from calls.admin.auditing import change_note
from calls.admin.base import ConsoleAdmin
from calls.admin.thresholds import FIELDS, ProfileForm
from calls.models import StreamingProfile
from calls.models.profiles import TranscriptionStart
from calls.policy import words as policy_words

Method = TypeVar("Method", bound=Callable[..., Any])

DEFAULT_DIALOG: Any = {
    "title": "Make this the default?",
    "description": "Calls that no answering rule matches are answered with it from now"
    " on.",
    "form_class": BaseDialogForm,
    "form_submit_text": "Make it the default",
}


def dialog_action(**options: Any) -> Callable[[Method], Method]:
    """Return Unfold's `action`, which says less of its type than it knows."""
    return cast(Callable[[Method], Method], decorators.action(**options))


@admin.register(StreamingProfile)
class ProfileAdmin(ConsoleAdmin):
    """How calls are streamed and kept: what answering rules choose from."""

    form = ProfileForm
    list_display = (
        "name",
        "used",
        "audio",
        "starts",
        "transcribes",
        "kept",
        "also",
    )
    search_fields = ("name",)
    actions_detail: Any = ("make_default",)
    list_before_template: Any = "admin/calls/profiles_before.html"
    change_form_outer_before_template: Any = "admin/calls/profile_before.html"
    conditional_fields = dict.fromkeys(
        ("locale", "intermediate_results"), "transcription != 'off'"
    )
    fieldsets = (
        (None, {"fields": ("name",)}),
        (
            "Streaming",
            {
                "fields": (
                    ("channels", "sample_rate"),
                    "start_at_answer",
                    ("bidirectional", "dtmf_tones"),
                    "media_url",
                )
            },
        ),
        (
            "Keys",
            {
                "description": "What callers press on their keypads. “DTMF tones” above"
                " has the media socket tell of them.",
                "fields": (("tone_recognition", "masks_tones"),),
            },
        ),
        (
            "Transcription",
            {
                "description": "By ACS, with the Azure AI services resource of"
                " ACSSTREAM_COGNITIVE_ENDPOINT; without one, no call is transcribed.",
                "fields": (
                    ("transcription", "locale"),
                    "intermediate_results",
                ),
            },
        ),
        (
            "Handler",
            {
                "description": "What hears these calls and speaks into them, beside"
                " the recording and never in its way. A handler that cannot be loaded"
                " raises an alarm in the call.",
                "fields": ("handler", "handler_options"),
            },
        ),
        ("Archive", {"fields": ("retention",)}),
        (
            "Alarms",
            {
                "description": "From where on something is an alarm in these calls."
                " Empty: as everywhere else, which is shown. 0: no such alarm.",
                "fields": tuple(
                    FIELDS[first : first + 2] for first in range(0, len(FIELDS), 2)
                ),
            },
        ),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[StreamingProfile]:
        """Return profiles with the number of rules that answer with each."""
        rows: QuerySet[StreamingProfile] = super().get_queryset(request)
        return rows.annotate(rule_count=Count("rules"))

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """The default profile stays: there must be one."""
        allowed: bool = super().has_delete_permission(request, obj)
        return allowed and not (obj and obj.is_default)

    def has_change_profile_permission(self, request: HttpRequest, *_: Any) -> bool:
        """Say whether the user may edit profiles."""
        return self.has_change_permission(request)

    @dialog_action(
        description="Make it the default",
        permissions=["change_profile"],
        url_path="make-default",
        icon="star",
        dialog=DEFAULT_DIALOG,
    )
    def make_default(
        self, request: HttpRequest, form: BaseDialogForm, object_id: str
    ) -> HttpResponse:
        """Answer calls that no rule matches with this profile."""
        profile = get_object_or_404(StreamingProfile, pk=object_id)
        with transaction.atomic():
            others = StreamingProfile.objects.filter(is_default=True)
            others.exclude(pk=profile.pk).update(is_default=False)
            StreamingProfile.objects.filter(pk=profile.pk).update(is_default=True)
            fields = {"is_default": [profile.is_default, True]}
            change_note(request, profile, {"how": "changed", "fields": fields})
        self.message_user(request, f"“{profile}” is the default now.")
        back = reverse("admin:calls_streamingprofile_change", args=[profile.pk])
        if request.headers.get("HX-Request"):
            return HttpResponse(headers={"HX-Redirect": back})
        return redirect(back)

    @display(description="Used by")
    def used(self, row: Any) -> str:
        """Show how many rules answer with it, and whether it is the default."""
        number = row.rule_count
        rules = f"{number} rule{'' if number == 1 else 's'}" if number else ""
        default = "every other call" if row.is_default else ""
        return ", ".join(filter(None, [rules, default])) or formats.NOTHING

    @display(description="Audio", ordering="channels")
    def audio(self, row: StreamingProfile) -> str:
        """Show in a word how the voices come, and the sample rate."""
        return f"{row.channels.capitalize()}, {row.get_sample_rate_display()}"

    @display(description="Starts", ordering="start_at_answer")
    def starts(self, row: StreamingProfile) -> str:
        """Show when streaming starts."""
        return "When answered" if row.start_at_answer else "When somebody starts it"

    @display(description="Transcription", ordering="transcription")
    def transcribes(self, row: StreamingProfile) -> str:
        """Show whether and when it transcribes."""
        if row.transcription == TranscriptionStart.OFF:
            return formats.NOTHING
        return f"{row.locale}, {row.get_transcription_display().lower()}"

    @display(description="Kept", ordering="retention")
    def kept(self, row: StreamingProfile) -> str:
        """Show the retention class."""
        return policy_words.retention_words(row)

    @display(description="Also")
    def also(self, row: StreamingProfile) -> str:
        """Show what else is asked for."""
        extras = {
            "Bidirectional": row.bidirectional,
            "DTMF tones": row.dtmf_tones,
            "Tones by callbacks": row.tone_recognition,
            "Digits masked": row.masks_tones,
            "Own media URL": bool(row.media_url),
            f"Handler {row.handler}": bool(row.handler),
        }
        return ", ".join(name for name, on in extras.items() if on) or formats.NOTHING
