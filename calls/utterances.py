"""Utterances: drafts into rows."""

from collections.abc import Iterable

from calls.batches import storable
from calls.drafts import UtteranceDraft
from calls.models import Utterance

FIGURES = ["state", "start_us", "sent_ms", "played_ms", "underruns", "reason"]


def utterances_store(drafts: Iterable[UtteranceDraft]) -> None:
    """Write what we said into calls; a later draft of one carries newer news."""
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
        for draft in drafts
    }
    Utterance.objects.bulk_create(
        rows.values(),
        update_conflicts=True,
        unique_fields=["id"],
        update_fields=FIGURES,
    )
