"""The library of prompts: sent, heard, renamed, withdrawn."""

from functools import partial
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.db import transaction
from django.db.models import Count, QuerySet
from django.http import HttpRequest
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy
from unfold.decorators import display
from unfold.widgets import UnfoldAdminFileFieldWidget, UnfoldAdminTextareaWidget

from calls import formats
from calls.admin.base import ConsoleAdmin
from calls.audit.log import user_of
from calls.models import Prompt
from calls.prompts.picture import waveform
from calls.prompts.preparing import (
    PreparedPrompt,
    PromptRefused,
    prompt_prepare,
    too_big_words,
)
from calls.prompts.storing import (
    PromptStorageError,
    audio_remove,
    prompt_add,
    was_asked_for,
)

ACCEPT = ".wav,.flac,.mp3,.ogg,.oga,.opus"


class PromptForm(forms.ModelForm):  # type: ignore[type-arg] # not at run time
    """A prompt's words; its audio is sent once and never changes."""

    file = forms.FileField(
        label=lazy("Audio"),
        widget=UnfoldAdminFileFieldWidget(attrs={"accept": ACCEPT}),
    )
    prepared: PreparedPrompt | None = None

    class Meta:
        model = Prompt
        fields = ("name", "note", "is_withdrawn")
        widgets = {"note": UnfoldAdminTextareaWidget(attrs={"rows": 3})}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "file" in self.fields:
            self.fields["file"].help_text = _(
                "WAV, FLAC, MP3 or Ogg, up to %(seconds)g seconds and %(size)s MB. It"
                " is made mono and brought to the level of all prompts."
            ) % {
                "seconds": settings.PROMPT_MAX_SECONDS,
                "size": settings.PROMPT_MAX_MB,
            }

    def clean_file(self) -> Any:
        """Make the prompt's audio; say what is wrong with a file that has none."""
        file = self.cleaned_data["file"]
        try:
            if file.size > settings.PROMPT_MAX_MB << 20:
                raise PromptRefused(too_big_words())
            self.prepared = prompt_prepare(file.chunks())
        except PromptRefused as refused:
            raise forms.ValidationError(str(refused)) from refused
        return file


@admin.register(Prompt)
class PromptAdmin(ConsoleAdmin):
    """What can be played into calls. What was played stays, withdrawn if need be."""

    form = PromptForm
    list_display = ("name", "length", "level", "plays", "shown_state", "added")
    list_filter = ("is_withdrawn",)
    list_select_related = ("added_by",)
    search_fields = ("name", "note")
    list_before_template: Any = "admin/calls/prompts_before.html"
    readonly_fields = ("preview", "figures")

    class Media:
        css = {"all": ("calls/prompts.css",)}

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """Return the file to send for a new prompt, what became of it for others."""
        if obj is None:
            return [(None, {"fields": ("name", "file", "note")})]
        return [
            (None, {"fields": ("preview", "figures")}),
            (None, {"fields": ("name", "note", "is_withdrawn")}),
        ]

    def get_form(
        self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any
    ) -> Any:
        """Return the form; of a prompt that is there the audio stays."""
        form = super().get_form(request, obj, change, **kwargs)
        if obj is not None:
            form.base_fields.pop("file", None)
        return form

    def get_queryset(self, request: HttpRequest) -> QuerySet[Prompt]:
        """Return prompts with the number of times each was played."""
        rows: QuerySet[Prompt] = super().get_queryset(request)
        return rows.annotate(play_count=Count("utterances"))

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        """Return no way to delete several: each has to be withdrawn first."""
        found: dict[str, Any] = super().get_actions(request)
        found.pop("delete_selected", None)
        return found

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Only what is withdrawn and was never asked for may go."""
        allowed: bool = super().has_delete_permission(request, obj)
        if obj is None or not allowed:
            return allowed
        return obj.is_withdrawn and not was_asked_for(obj)

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> Any:
        """Show the form; say in words what storage refused, and keep nothing of it."""
        try:
            return super().changeform_view(request, object_id, form_url, extra_context)
        except PromptStorageError as exc:
            self.message_user(request, str(exc), messages.ERROR)
            return redirect(request.path)

    def save_model(
        self, request: HttpRequest, obj: Any, form: Any, change: bool
    ) -> None:
        """Store a new prompt's audio along with it."""
        if change:
            super().save_model(request, obj, form, change)
            return
        name = form.cleaned_data["file"].name or ""
        prompt_add(obj, form.prepared, source_name=name, added_by=user_of(request))

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        """Remove a prompt, and its files once the row is gone for good."""
        gone = partial(audio_remove, Prompt.objects.get(pk=obj.pk))
        super().delete_model(request, obj)
        transaction.on_commit(gone)

    @admin.display(description=lazy("Length"), ordering="duration_ms")
    def length(self, row: Prompt) -> str:
        """Show how long it is."""
        return formats.brief(row.duration_ms / 1000)

    @admin.display(description=lazy("Level"), ordering="level_dbfs")
    def level(self, row: Prompt) -> str:
        """Show how loud it is played."""
        return f"{row.level_dbfs:.1f} dBFS"

    @admin.display(description=lazy("Played"), ordering="play_count")
    def plays(self, row: Any) -> str:
        """Show how often it was played into calls."""
        return formats.count(row.play_count)

    @display(
        description="State",
        ordering="is_withdrawn",
        label={"withdrawn": "warning", "offered": "success"},
    )
    def shown_state(self, row: Prompt) -> tuple[str, str]:
        """Show whether it can be played."""
        if row.is_withdrawn:
            return "withdrawn", _("Withdrawn")
        return "offered", _("Offered")

    @admin.display(description=lazy("Added"), ordering="added_at")
    def added(self, row: Prompt) -> str:
        """Show when and by whom it was added."""
        who = row.added_by or _("System")
        return f"{formats.moment(row.added_at)}, {who}"

    @admin.display(description=lazy("Hear it"))
    def preview(self, row: Prompt) -> SafeString:
        """Show the waveform, and a player of what calls hear."""
        label = _("Hear “%(name)s” here, not in a call") % {"name": row.name}
        return format_html(
            '<div class="prompt-preview">{}<audio controls preload="metadata" src="{}"'
            ' aria-label="{}"></audio></div>',
            waveform(row),
            reverse("prompt_audio", args=[row.pk]),
            label,
        )

    @admin.display(description=lazy("Audio"))
    def figures(self, row: Prompt) -> str:
        """Show what was sent, and what was made of it."""
        words = {
            "length": formats.brief(row.duration_ms / 1000),
            "after": f"{row.level_dbfs:.1f} dBFS",
            "format": row.source_format or "?",
            "file": row.source_name or "?",
        }
        if row.source_level_dbfs is None:
            return _("%(length)s at %(after)s, from %(file)s (%(format)s)") % words
        words["before"] = f"{row.source_level_dbfs:.1f} dBFS"
        return (
            _("%(length)s at %(after)s, from %(file)s (%(format)s, %(before)s)") % words
        )
