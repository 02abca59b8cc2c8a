"""How long a call lasted, as the database counts it."""

from datetime import datetime
from typing import Any

from django.db.models import Case, DurationField, ExpressionWrapper, F, Func, When
from django.db.models.expressions import Combinable, Value
from django.db.models.fields import BigIntegerField, DateTimeField
from django.db.models.functions import Coalesce, Greatest


class _Milliseconds(Func):
    """A length of time in whole milliseconds."""

    output_field = BigIntegerField()

    def as_postgresql(self, compiler: Any, connection: Any, **extra: Any) -> Any:
        """Return the SQL for PostgreSQL's intervals."""
        template = "CAST(EXTRACT(EPOCH FROM %(expressions)s) * 1000 AS bigint)"
        return self.as_sql(compiler, connection, template=template, **extra)

    def as_sqlite(self, compiler: Any, connection: Any, **extra: Any) -> Any:
        """Return the SQL for SQLite, where they are whole microseconds."""
        template = "(%(expressions)s) / 1000"
        return self.as_sql(compiler, connection, template=template, **extra)


def lasted(until: datetime | Combinable, since: Combinable | None = None) -> Combinable:
    """Return how long a call lasted in ms, as `Call.duration` counts it, for an UPDATE.

    `until` and `since` (when it was connected) are what the same UPDATE writes. Null if
    `until` is: the call runs.
    """
    end = Value(until, DateTimeField()) if isinstance(until, datetime) else until
    start = Coalesce(since or F("connected_at"), F("rang_at"))
    length = ExpressionWrapper(end - start, output_field=DurationField())
    known = Greatest(_Milliseconds(length), Value(0, BigIntegerField()))
    if isinstance(until, datetime):
        return known
    return Case(When(ended_at=None, then=Value(None, BigIntegerField())), default=known)
