"""The audit log as a file: CSV for spreadsheets, JSON lines for machines."""

import csv
import io
import json
from collections.abc import AsyncIterator, Callable, Iterator
from typing import cast

from asgiref.sync import sync_to_async
from django.db.models import QuerySet
from django.http import StreamingHttpResponse

from calls.audit_words import sentence
from calls.models import AuditEntry

COLUMNS = (
    "id",
    "at",
    "action",
    "actor",
    "actor_key",
    "sentence",
    "call",
    "object_type",
    "object_key",
    "object_title",
    "address",
    "details",
)
BLOCK_ROWS = 500
# A spreadsheet takes what begins so for a formula, and strangers choose what they call
# themselves when they fail to sign in.
FORMULA = ("=", "+", "-", "@", "\t", "\r")


class RowsResponse(StreamingHttpResponse):
    """Blocks of rows, each read when the last one is on its way.

    Under ASGI they are read in the thread that has the request's connection to the
    database; Django would read all of them first.
    """

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Yield the blocks without holding up the event loop."""
        blocks = iter(cast(Iterator[bytes], self.streaming_content))
        following = sync_to_async(lambda: next(blocks, None), thread_sensitive=True)
        while (block := await following()) is not None:
            yield block


def csv_blocks(entries: QuerySet[AuditEntry]) -> Iterator[bytes]:
    """Yield a CSV with a header, oldest entry first; `details` is JSON."""
    yield ",".join(COLUMNS).encode() + b"\r\n"
    yield from _blocks(entries, _csv_row)


def jsonl_blocks(entries: QuerySet[AuditEntry]) -> Iterator[bytes]:
    """Yield one JSON object per line, oldest entry first."""
    yield from _blocks(entries, lambda entry: json.dumps(facts(entry)) + "\n")


def facts(entry: AuditEntry) -> dict[str, object]:
    """Return an entry by `COLUMNS`, fit for JSON; `at` in UTC to the microsecond."""
    return {
        "id": entry.pk,
        "at": entry.at.isoformat(timespec="microseconds"),
        "action": entry.action,
        "actor": entry.actor,
        "actor_key": entry.actor_key,
        "sentence": sentence(entry),
        "call": str(entry.call_key) if entry.call_key else None,
        "object_type": entry.object_type,
        "object_key": entry.object_key,
        "object_title": entry.object_title,
        "address": entry.address,
        "details": entry.details,
    }


def _blocks(
    entries: QuerySet[AuditEntry], line: Callable[[AuditEntry], str]
) -> Iterator[bytes]:
    """Yield lines in blocks, by key: no cursor is held while a reader is slow."""
    last = 0
    while rows := list(entries.filter(pk__gt=last).order_by("pk")[:BLOCK_ROWS]):
        yield "".join(line(entry) for entry in rows).encode()
        last = rows[-1].pk


def _csv_row(entry: AuditEntry) -> str:
    file = io.StringIO()
    values = facts(entry) | {"details": json.dumps(entry.details)}
    csv.writer(file).writerow(_cell(values[name]) for name in COLUMNS)
    return file.getvalue()


def _cell(value: object) -> object:
    is_formula = isinstance(value, str) and value.startswith(FORMULA)
    return f"'{value}" if is_formula else value
