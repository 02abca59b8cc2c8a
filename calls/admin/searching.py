"""Searching a list by words, of which nobody types a thousand."""

from typing import Any

from django.db.models import Model, QuerySet
from django.http import HttpRequest
from unfold.admin import ModelAdmin

# As for calls (calls/search.py) and what was said (calls/transcripts/asked.py).
LONGEST, MOST_WORDS = 400, 20


class BoundedSearch(ModelAdmin):
    """A list whose search has as many words as people type.

    Django adds a condition for each word and field, and rebuilds the query for each:
    8,000 characters of one-letter words held a process for minutes.
    """

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """Search by the first words only."""
        words = search_term[:LONGEST].split()[:MOST_WORDS]
        rows: QuerySet[Model]
        rows, may_repeat = super().get_search_results(
            request, queryset, " ".join(words)
        )
        return rows, may_repeat
