"""What we said into calls: drafts into rows, and what they prove of orders."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from django.db import transaction

from calls.batches import storable
from calls.drafts import OutcomeDraft, UtteranceDraft
from calls.models import (
    Call,
    CommandState,
    Connection,
    Evidence,
    Prompt,
    StreamCommand,
    Utterance,
)
from calls.said import CUT_OFF, OVER

FIGURES = ["state", "start_us", "sent_ms", "played_ms", "underruns", "reason"]


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


def utterances_recover(drafts: Sequence[UtteranceDraft]) -> None:
    """Write what journals tell of utterances that rows do not know, or not the end of.

    Rows that ingest wrote to their end say more: a name, a reason.
    """
    if not drafts:
        return
    rows = Utterance.objects.filter(pk__in={draft.id for draft in drafts})
    known = {row.pk: row for row in rows}
    is_open = (Utterance.State.QUEUED, Utterance.State.PLAYING)
    news = []
    for draft in drafts:
        row = known.get(draft.id)
        if row is None:
            is_left = draft.state in is_open
            stopped = replace(draft, state=Utterance.State.STOPPED.value)
            news.append(stopped if is_left else draft)
        elif row.state in is_open and draft.state not in is_open:
            news.append(replace(draft, command_id=row.command_id))
    utterances_store(news)


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
