"""The audit log's chain in the database: its head, its rows, whether they are whole."""

import logging
from collections.abc import Callable, Iterator
from datetime import timedelta

from django.utils import timezone

from calls.audit.chain import START, Head
from calls.audit.verification import Row, Walk, walk_all
from calls.models import AuditCheck, AuditEntry, AuditLink

BLOCK_ROWS = 1000
WHOLE_EVERY = timedelta(days=1)
KEPT_CHECKS = 1000

log = logging.getLogger(__name__)


def head_now() -> Head:
    """Return the head of the chain: the place and hash of the newest entry."""
    last = AuditLink.objects.order_by("-sequence").first()
    return Head(last.sequence, last.hash) if last else START


def rows_stored(after: Head = START) -> Iterator[Row]:
    """Yield the chain's rows in blocks by their places: no cursor is held."""
    last = after.sequence
    while links := list(
        AuditLink.objects.filter(sequence__gt=last).order_by("sequence")[:BLOCK_ROWS]
    ):
        entries = AuditEntry.objects.in_bulk([link.entry_id for link in links])
        for link in links:
            entry = entries.get(link.entry_id)
            facts = entry.facts() if entry else None
            yield Row(link.sequence, link.entry_id, link.previous, link.hash, facts)
        last = links[-1].sequence


def log_verify(walk: Walk, progress: Callable[[int], None] = lambda _: None) -> Walk:
    """Walk along the stored chain from `walk.after` on, and look beside it."""
    walk_all(walk, rows_stored(walk.after), progress)
    outside = AuditEntry.objects.filter(link=None).order_by("pk")
    for entry_id in outside.values_list("pk", flat=True)[:BLOCK_ROWS]:
        walk.outside(entry_id)
    walk.end()
    return walk


def log_check() -> AuditCheck:
    """Verify what came since the last check, once a day everything; keep the outcome.

    The head is logged: who keeps logs elsewhere keeps what the log's end was.
    """
    checks = AuditCheck.objects.all()
    last = checks.filter(faults=0).first()
    since = timezone.now() - WHOLE_EVERY
    is_whole = not checks.filter(is_whole=True, at__gt=since).exists()
    if last is None or is_whole or checks.filter(faults__gt=0, at__gt=last.at).exists():
        is_whole = True
    anchors = {last.sequence: last.hash} if last and last.sequence else {}
    start = START if is_whole or last is None else _before(last)
    walk = log_verify(Walk(after=start, anchors=anchors))
    words = walk.findings[0].words[:255] if walk.findings else ""
    if walk.found:
        log.error("the audit log was tampered with: %d faults: %s", walk.found, words)
    head = walk.head
    log.info("audit log head: sequence=%d hash=%s", head.sequence, head.hash)
    kept = set(checks.values_list("pk", flat=True)[:KEPT_CHECKS])
    if last is not None:
        # What is found wrong may be known by it alone: else it would pass by itself.
        kept.add(last.pk)
    AuditCheck.objects.exclude(pk__in=kept).delete()
    return AuditCheck.objects.create(
        is_whole=is_whole,
        sequence=head.sequence,
        hash=head.hash,
        faults=walk.found,
        words=words,
    )


def _before(check: AuditCheck) -> Head:
    """Return the place before a check's last: that entry is looked at once more."""
    link = AuditLink.objects.filter(sequence=check.sequence).first()
    return Head(check.sequence - 1, link.previous) if link else START
