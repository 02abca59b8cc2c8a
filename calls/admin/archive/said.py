"""The archive's filters by transcripts."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from calls.admin.archive.inputs import Choice, ChoiceFilter, Field, TextFilter
from calls.transcripts.asked import LONGEST, asked_of
from calls.transcripts.search import calls_saying
from calls.transcripts.views import PERMISSION, search_note


class TranscriptFilter(ChoiceFilter):
    """Whether there are words of it."""

    title = label = gettext_lazy("Transcript")
    names = ("transcript",)

    def options(self) -> list[Choice]:
        """Return the choices."""
        return [("yes", _("Has one")), ("no", _("Has none"))]

    def narrow(self, queryset: QuerySet[Any], value: str) -> QuerySet[Any]:
        """Return the calls of the choice."""
        return queryset.filter(has_transcript=value == "yes")


class SaidFilter(TextFilter):
    """What was said, in words. For who may read transcripts: it is not there else."""

    title = gettext_lazy("words said")
    label = gettext_lazy("Words said")
    hint = gettext_lazy("words, “phrase”, -not")
    names = ("said",)

    @property
    def is_allowed(self) -> bool:
        """Say whether its user may learn from it what was said."""
        return self.request.user.has_perm(PERMISSION)

    def given(self, name: str) -> str:
        """Return what was asked for; nothing of who may not ask."""
        return super().given(name) if self.is_allowed else ""

    def narrow(self, queryset: QuerySet[Any], value: str) -> QuerySet[Any]:
        """Return the calls in which somebody said it."""
        search_note(self.request, value[:LONGEST])
        found, self.words = calls_saying(queryset, asked_of(value))
        return found

    def fields(self) -> list[Field]:
        """Return the field, if there is one for this user."""
        return super().fields() if self.is_allowed else []
