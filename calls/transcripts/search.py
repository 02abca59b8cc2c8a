"""Words that were said, found: pieces of transcripts, and the calls they are of.

PostgreSQL has a column of words under a GIN index, SQLite an FTS5 table (migration
0013). Both know no language and find the same: whole words, case aside, and how words
begin. Nothing here asks whether somebody may read transcripts: who calls it does.
"""

from __future__ import annotations

from typing import Any, TypeVar
from uuid import UUID

from django.db import connections
from django.db.models import BooleanField, Exists, F, Func, Model, OuterRef, Q, QuerySet

from calls.models import TranscriptSegment
from calls.search import RARE, Words
from calls.transcripts.asked import Asked, Term

Row = TypeVar("Row", bound=Model)


class Says(Func):
    """Whether a segment has what was asked for; its column `text` names the table."""

    output_field = BooleanField()

    def __init__(self, asked: Asked) -> None:
        super().__init__(F("text"), F("id"))
        self.asked = asked

    def as_postgresql(
        self, compiler: Any, connection: Any, **_: Any
    ) -> tuple[str, list[str]]:
        """Return the condition on the column of words, which is no field."""
        column: Any = self.get_source_expressions()[0]
        table = compiler.quote_name_unless_alias(column.alias)
        wanted = " && ".join(map(_tsquery, self.asked.wanted))
        unwanted = "".join(f" && !! {_tsquery(one)}" for one in self.asked.unwanted)
        params = [one.text for one in (*self.asked.wanted, *self.asked.unwanted)]
        return f'({table}."spoken" @@ ({wanted}{unwanted}))', params

    def as_sqlite(
        self, compiler: Any, connection: Any, **_: Any
    ) -> tuple[str, tuple[str | int, ...]]:
        """Return the condition by way of the FTS5 table."""
        key, params = compiler.compile(self.get_source_expressions()[1])
        wanted = " AND ".join(map(_match, self.asked.wanted))
        unwanted = " OR ".join(map(_match, self.asked.unwanted))
        query = f"({wanted}) NOT ({unwanted})" if unwanted else wanted
        found = 'SELECT "segment" FROM "calls_segmentwords" WHERE "text" MATCH %s'
        return f"({key} IN ({found}))", (*params, query)


def _tsquery(term: Term) -> str:
    phrase = "phraseto_tsquery('simple', calls_spoken(%s))"
    # NULL, and so nothing, for what PostgreSQL does not take for a word.
    begin = f"(nullif({phrase}::text, '') || ':*')::tsquery"
    return begin if term.is_begin else phrase


def _match(term: Term) -> str:
    # There is no quote in words that would have to be escaped.
    return f'"{term.text}"{" *" if term.is_begin else ""}'


def segments_saying(asked: Asked) -> QuerySet[TranscriptSegment]:
    """Return the pieces that say what was asked for; none if nothing was."""
    rows = TranscriptSegment.objects.order_by()
    return rows.filter(Says(asked)) if asked else rows.none()


def calls_saying(
    calls: QuerySet[Row], asked: Asked
) -> tuple[QuerySet[Row], Words | None]:
    """Return calls in which one piece says it, and how they are best counted.

    What is rare is looked up beforehand; what is common is looked for from the newest
    call on, see `calls.search.words_find`.
    """
    said = segments_saying(asked).using(calls.db)
    keys = said.values("call_id")
    if connections[calls.db].vendor != "postgresql":
        return calls.filter(pk__in=keys), None
    few = list(said.values_list("call_id", flat=True)[: RARE + 1])
    if len(few) <= RARE:
        return calls.filter(pk__in=set(few)), None
    condition = Q(Exists(said.filter(call=OuterRef("pk"))))
    return calls.filter(condition), Words(condition, most=RARE)


def newest_saying(asked: Asked, most: int) -> tuple[list[tuple[int, UUID]], bool]:
    """Return start and key of the newest pieces that say it; whether there are more.

    What is rare is looked up and sorted here: PostgreSQL would look through all pieces
    by time for the few that say it. What is common it finds soonest so.
    """
    said = segments_saying(asked).values_list("start_us", "pk")
    found = list(said[: most + 1])
    if len(found) <= most:
        return sorted(found, reverse=True), False
    return list(said.order_by("-start_us", "-pk")[:most]), True
