"""What we said into calls: drafts into rows, and what they prove of orders."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet

from calls.batches import storable
from calls.drafts import OutcomeDraft, UtteranceDraft
from calls.journals.said import CUT_OFF, OVER
from calls.models import (
    Call,
    CommandState,
    Connection,
    Evidence,
    Prompt,
    StreamCommand,
    Utterance,
)

FIGURES = ["state", "start_us", "sent_ms", "played_ms", "underruns", "reason"]
OPEN: Final = (Utterance.State.QUEUED, Utterance.State.PLAYING)
STOPPED: Final = Utterance.State.STOPPED.value
SOCKET_CLOSED: Final = "the call's socket closed"
# Ingest waits ten seconds for a redial, and says what came of it.
REDIAL: Final = timedelta(seconds=15)


def utterances_store(drafts: Sequence[UtteranceDraft]) -> None:
    """Write what we said into calls; a later draft of one carries newer news.

    Two processes may say one utterance, one after the other: its first end stands, and
    what is only queued in one takes nothing back that the other has said.
    """
    with transaction.atomic():
        _write(list(_news_among(drafts)))


def _write(drafts: Sequence[UtteranceDraft]) -> None:
    if not drafts:
        return
    rows = {
        draft.id: Utterance(
            id=draft.id,
            call_id=draft.call_id,
            kind=draft.kind,
            state=draft.state,
            name=storable(draft.name, 200),
            queued_at=draft.queued_at,
            prompt_id=draft.prompt_id,
            command_id=draft.command_id,
            start_us=draft.start_us,
            sent_ms=draft.sent_ms,
            played_ms=draft.played_ms,
            underruns=draft.underruns,
            reason=storable(draft.reason, 500),
        )
        for draft in _of_what_is_there(drafts)
    }
    Utterance.objects.bulk_create(
        rows.values(),
        update_conflicts=True,
        unique_fields=["id"],
        update_fields=FIGURES,
    )


def _news_among(drafts: Sequence[UtteranceDraft]) -> Iterable[UtteranceDraft]:
    """Yield drafts that say more than their rows, which are held until then."""
    if not drafts:
        return
    rows = Utterance.objects.select_for_update().order_by("pk")
    known = {row.pk: row for row in rows.filter(pk__in={one.id for one in drafts})}
    for draft in drafts:
        row = known.get(draft.id)
        if row is None or not (_is_stale(draft, row) or _goes_on(draft, row)):
            yield draft


def _is_stale(draft: UtteranceDraft, row: Utterance) -> bool:
    """Say whether a row knows more than a draft of it."""
    if row.state in OVER:
        # Of a process that lives after all: it knows better.
        return row.reason != CUT_OFF or draft.state not in OVER
    is_begun = row.state != Utterance.State.QUEUED
    return is_begun and draft.state == Utterance.State.QUEUED


def _goes_on(draft: UtteranceDraft, row: Utterance) -> bool:
    """Say whether somebody speaks on over the socket of another process."""
    sockets = Connection.objects.filter(call=row.call_id, kind=Connection.Kind.MEDIA)
    return draft.may_go_on and sockets.filter(closed_at=None).exists()


def utterances_recover(call_id: UUID, drafts: Sequence[UtteranceDraft]) -> None:
    """Write what a call's journals tell of utterances that rows do not know the end of.

    Rows that ingest wrote to their end say more: a name, a reason. Without a socket
    nothing goes on, whatever journals and rows say.
    """
    rows = {row.pk: row for row in Utterance.objects.filter(call_id=call_id)}
    is_over = not _sockets(call_id).filter(closed_at=None).exists()
    news = []
    for draft in drafts:
        row = rows.get(draft.id)
        if row and row.state not in OPEN and row.reason != CUT_OFF:
            continue
        if draft.state not in OPEN:
            news.append(draft)
        elif is_over or row is None:
            news.append(replace(draft, state=STOPPED, reason=SOCKET_CLOSED))
    utterances_store(news)
    if is_over:
        left = Utterance.objects.filter(call_id=call_id, state__in=OPEN)
        left.update(state=STOPPED, reason=CUT_OFF)


def _sockets(call: UUID | OuterRef) -> QuerySet[Connection]:
    sockets = Connection.objects.filter(call=call, kind=Connection.Kind.MEDIA)
    return sockets.order_by()


def is_held(now: datetime) -> Exists:
    """Say of an utterance whether the process that says it is there, as rows tell.

    Its call has a socket, or may be redialled, at a process that had one when it was
    queued.
    """
    sockets = _sockets(OuterRef("call"))
    kept = sockets.filter(Q(closed_at=None) | Q(closed_at__gt=now - REDIAL))
    return Exists(
        sockets.filter(
            opened_at__lte=OuterRef("queued_at"),
            process_id__in=kept.values("process_id"),
        )
    )


def utterances_sweep(now: datetime) -> int:
    """End what a process that died was saying into calls that go on; return how much.

    If it lives after all, the end that it tells of them is taken for true.
    """
    live = Call.objects.live().values("pk")
    left = Utterance.objects.filter(call__in=live, state__in=OPEN)
    ended, unheard = 0, []
    for said in left.exclude(is_held(now)).order_by():
        row = Utterance.objects.filter(pk=said.pk, state__in=OPEN)
        ended += row.update(state=STOPPED, reason=CUT_OFF)
        if said.command_id and said.start_us is None:
            words = f"Nothing of it was heard: {CUT_OFF}."
            unheard.append(OutcomeDraft(said.command_id, said.call_id, False, words))
    outcomes_store(unheard)
    return ended


def _of_what_is_there(drafts: Sequence[UtteranceDraft]) -> Iterable[UtteranceDraft]:
    """Yield drafts of calls that exist, without orders and prompts that do not."""
    asked = {draft.command_id for draft in drafts if draft.command_id}
    played = {draft.prompt_id for draft in drafts if draft.prompt_id}
    calls = Call.objects.filter(pk__in={draft.call_id for draft in drafts})
    known = set(calls.values_list("pk", flat=True))
    commands = StreamCommand.objects.filter(pk__in=asked) if asked else ()
    prompts = Prompt.objects.filter(pk__in=played) if played else ()
    keys = {row.pk for rows in (commands, prompts) for row in rows}
    for draft in drafts:
        if draft.call_id in known:
            yield replace(
                draft,
                command_id=draft.command_id if draft.command_id in keys else None,
                prompt_id=draft.prompt_id if draft.prompt_id in keys else None,
            )


def outcomes_store(drafts: Iterable[OutcomeDraft]) -> None:
    """Settle the orders that ingest carried out, or could not."""
    from calls.control import command_settle  # control imports services

    for draft in drafts:
        state = CommandState.CONFIRMED if draft.is_done else CommandState.FAILED
        command_settle(
            draft.command_id,
            state,
            words=draft.words,
            evidence=Evidence.MEDIA,
            is_proof=True,
        )
