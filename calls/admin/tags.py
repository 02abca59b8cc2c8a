"""Tags, to be renamed and merged: they are made on calls' pages, as people go."""

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Count, QuerySet
from django.forms import ModelForm
from django.http import HttpRequest
from django.utils.translation import gettext as _
from unfold.decorators import display

from calls import formats
from calls.admin.base import ConsoleAdmin
from calls.models import Call, Tag
from calls.review import ReviewRefusedError, tag_name


class TagForm(ModelForm):  # type: ignore[type-arg] # generic for the stubs alone
    """A tag's name, kept as calls' pages keep it. One that exists is merged."""

    class Meta:
        model = Tag
        fields = ("name",)

    def clean_name(self) -> str:
        """Return the name in small letters and single spaces."""
        try:
            return tag_name(self.cleaned_data["name"])
        except ReviewRefusedError as refusal:
            raise ValidationError(str(refusal)) from refusal

    def validate_unique(self) -> None:
        """Let a name be taken: then the two become one."""


@admin.register(Tag)
class TagAdmin(ConsoleAdmin):
    """Words that calls are found by."""

    form = TagForm
    list_display = ("name", "used")
    search_fields = ("name",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Tag]:
        """Return tags with the number of their calls."""
        tags: QuerySet[Tag] = super().get_queryset(request)
        return tags.annotate(call_count=Count("calls"))

    @display(description="Calls", ordering="call_count")
    def used(self, row: Any) -> str:
        """Show how many calls have it."""
        return formats.count(row.call_count)

    def save_model(
        self, request: HttpRequest, obj: Any, form: Any, change: bool
    ) -> None:
        """Rename a tag; one that has the name already is merged into it."""
        with transaction.atomic():
            other = Tag.objects.filter(name=obj.name).exclude(pk=obj.pk).first()
            if other is not None and not change:
                # Made anew and there already: that one is it.
                obj.pk = other.pk
                return
            if other is not None:
                tagged = Call.tags.through.objects
                mine = tagged.filter(tag=obj).values("call")
                tagged.filter(tag=other).exclude(call__in=mine).update(tag=obj)
                other.delete()
                words = _("Another tag “%(tag)s” was merged into this one.")
                messages.info(request, words % {"tag": obj.name})
            super().save_model(request, obj, form, change)
