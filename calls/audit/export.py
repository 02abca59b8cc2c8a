"""The audit log as a file: CSV for spreadsheets, JSON lines for machines.

JSON lines can be verified without us (docs/audit.md): they are in the chain's order,
and the last one has the chain's head.
"""

import csv
import io
import json
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from typing import cast

from asgiref.sync import sync_to_async
from django.db.models import QuerySet
from django.http import StreamingHttpResponse

from calls.audit.chain import Head
from calls.audit.head import head_now
from calls.audit.words import sentence
from calls.models import AuditEntry

COLUMNS = (
    "id",
    "sequence",
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
    "previous",
    "hash",
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


def csv_blocks(entries: QuerySet[AuditEntry], _: Mapping[str, str]) -> Iterator[bytes]:
    """Yield a CSV with a header, in the chain's order; `details` is JSON."""
    yield ",".join(COLUMNS).encode() + b"\r\n"
    yield from _blocks(entries, head_now(), _csv_row)


def jsonl_blocks(
    entries: QuerySet[AuditEntry], filters: Mapping[str, str]
) -> Iterator[bytes]:
    """Yield one JSON object per line, in the chain's order, and then its head."""
    head = head_now()
    yield from _blocks(entries, head, lambda entry: json.dumps(facts(entry)) + "\n")
    last = {"audit_head": {"sequence": head.sequence, "hash": head.hash}}
    yield (json.dumps(last | {"filters": dict(filters)}) + "\n").encode()


def facts(entry: AuditEntry) -> dict[str, object]:
    """Return an entry by `COLUMNS`, fit for JSON; `at` in UTC to the microsecond."""
    link = getattr(entry, "link", None)
    return {
        "id": entry.pk,
        "sequence": link and link.sequence,
        "sentence": sentence(entry),
        **entry.facts(),
        "previous": link and link.previous,
        "hash": link and link.hash,
    }


def _blocks(
    entries: QuerySet[AuditEntry], head: Head, line: Callable[[AuditEntry], str]
) -> Iterator[bytes]:
    """Yield lines in blocks, by place: no cursor is held while a reader is slow.

    What has no place comes last, to be found out.
    """
    placed = entries.filter(link__sequence__lte=head.sequence).order_by("link")
    last = 0
    while rows := list(
        placed.filter(link__sequence__gt=last).select_related("link")[:BLOCK_ROWS]
    ):
        yield "".join(line(entry) for entry in rows).encode()
        last = rows[-1].link.sequence
    last = 0
    placeless = entries.filter(link=None).order_by("pk")
    while rows := list(placeless.filter(pk__gt=last)[:BLOCK_ROWS]):
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
