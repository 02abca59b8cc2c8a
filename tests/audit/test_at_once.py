"""Many write at once: no gap, no fork, and nobody waits for a long transaction."""

import contextlib
import multiprocessing
import threading
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import pytest
from django.db import connection, transaction

from calls.audit import log as audit_log
from calls.audit.chain import GENESIS
from calls.audit.head import log_verify
from calls.audit.verification import Walk
from calls.models import AuditAction, AuditEntry, AuditLink, Call
from tests.factories import CallFactory

pytestmark = [pytest.mark.database, pytest.mark.django_db(transaction=True)]

PATIENCE = 60
WRITERS, ENTRIES = 4, 25
STAYS = sum(1 + n % 3 for n in range(ENTRIES) if n % 5 != 4)


def writer() -> None:
    """Commit some entries, take some back, note several in one transaction."""
    for number in range(ENTRIES):
        with contextlib.suppress(InterruptedError), transaction.atomic():
            for _ in range(1 + number % 3):
                note()
            if number % 5 == 4:
                raise InterruptedError
    connection.close()


def note() -> AuditEntry:
    return audit_log.note(AuditAction.SIGNED_OUT, actor=None)


def test_processes_that_write_at_once_make_one_chain_without_a_gap() -> None:
    # A connection is of one process.
    connection.close()
    fork = multiprocessing.get_context("fork")
    writers = [fork.Process(target=writer) for _ in range(WRITERS)]
    for each in writers:
        each.start()
    for each in writers:
        each.join(PATIENCE)
    codes = [each.exitcode for each in writers]

    links = list(AuditLink.objects.order_by("sequence"))
    assert codes == [0] * WRITERS
    assert [one.sequence for one in links] == list(range(1, WRITERS * STAYS + 1))
    assert links[0].previous == GENESIS
    assert all(one.hash == other.previous for one, other in pairwise(links))
    assert log_verify(Walk()).found == 0


def test_a_transaction_that_notes_and_goes_on_holds_up_nobody() -> None:
    if connection.vendor == "sqlite":
        # Whoever writes to SQLite holds up every writer, noting or not.
        return
    noted, may_end = threading.Event(), threading.Event()

    def slow() -> None:
        with transaction.atomic():
            note()
            noted.set()
            assert may_end.wait(PATIENCE)
        connection.close()

    with ThreadPoolExecutor(1) as pool:
        ending = pool.submit(slow)
        assert noted.wait(PATIENCE)
        # It would wait here for ever if the slow one held the chain.
        quick = note()
        may_end.set()
        ending.result(PATIENCE)

    # Chained as they were committed, not as they were written.
    assert AuditLink.objects.get(entry=quick).sequence == 1
    assert log_verify(Walk()).found == 0


def test_writers_who_lock_the_same_rows_in_any_order_do_not_deadlock() -> None:
    call = CallFactory.create()
    both = threading.Barrier(2)

    def notes_last() -> None:
        with transaction.atomic():
            Call.objects.select_for_update().get(pk=call.pk)
            if connection.vendor == "postgresql":
                both.wait(PATIENCE)
            note()
        connection.close()

    def notes_first() -> None:
        with transaction.atomic():
            note()
            if connection.vendor == "postgresql":
                both.wait(PATIENCE)
            Call.objects.select_for_update().get(pk=call.pk)
        connection.close()

    with ThreadPoolExecutor(2) as pool:
        for ending in [pool.submit(notes_last), pool.submit(notes_first)]:
            ending.result(PATIENCE)

    assert AuditLink.objects.count() == 2
