"""DTMF tones: drafts and callbacks into rows, rows into markers on a call's timeline.

A press is told by the media socket, by a callback, or by both, in two processes and in
any order. Each stores what it was told; then the rows are settled under the lock of the
call's row, from all that is stored. So they come out the same whoever comes last.
"""

from collections.abc import Collection, Iterable
from typing import TypedDict
from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext as _

from calls.batches import storable
from calls.drafts import ToneDraft
from calls.models import Call, Tone
from calls.tones.pairing import Pairing, Press, pair
from calls.tones.telling import told_presses
from streaming.protocol import MASK

AT_ONCE = 500
MASKED = "\N{BULLET}"


class Marker(TypedDict):
    """A moment on the call's clock. `at` in seconds after `call.origin_us`."""

    at: float
    kind: str
    label: str
    raw_id: str


def tones_store(drafts: Collection[ToneDraft]) -> None:
    """Write the tones of sockets; what is there stays, a tone never becomes another."""
    with transaction.atomic():
        Tone.objects.bulk_create(
            [
                Tone(
                    id=draft.id,
                    call_id=draft.call_id,
                    raw_id=storable(draft.raw_id, 255),
                    tone=storable(draft.tone, 32),
                    at_us=draft.at_us,
                    is_stamped=draft.is_stamped,
                    source=draft.source,
                    is_masked=draft.is_masked,
                )
                for draft in drafts
            ],
            batch_size=AT_ONCE,
            ignore_conflicts=True,
        )
        for call_id in sorted({draft.call_id for draft in drafts}):
            tones_settle(call_id)


def tones_settle(call_id: UUID) -> None:
    """Have one row for each press of a call, whoever told it.

    Call it when a tone was stored, in the same transaction. The lock comes first: of
    two that settle at once, the second sees what the first stored.
    """
    # Its key does not change: with a lock of that too, two that have added rows to the
    # call would each wait for the other.
    calls = Call.objects.select_for_update(no_key=True)
    call = calls.filter(pk=call_id).first()
    if call is None:
        return
    told = told_presses(call)
    rows = list(call.tones.all())
    if not told and all(row.source == Tone.Source.MEDIA for row in rows):
        return
    ours = [row for row in rows if row.source != Tone.Source.CALLBACK]
    found = pair([Press(row.pk, row.raw_id, row.tone, row.at_us) for row in ours], told)
    _mark(ours, found)
    _tell(call, [row for row in rows if row.source == Tone.Source.CALLBACK], found)


def _mark(rows: Iterable[Tone], found: Pairing) -> None:
    """Say of the sockets' tones which of them a callback told too."""
    changed = []
    for row in rows:
        told = found.pairs.get(row.pk)
        source = Tone.Source.BOTH if told else Tone.Source.MEDIA
        who = told.raw_id if told and not row.raw_id else ""
        if (row.source, row.told_by) != (source, who):
            row.source, row.told_by = source, who
            changed.append(row)
    Tone.objects.bulk_update(changed, ["source", "told_by"], batch_size=AT_ONCE)


def _tell(call: Call, rows: Collection[Tone], found: Pairing) -> None:
    """Write the tones that only callbacks told; remove those that a socket told too."""
    alone = {press.id: (press, at_us) for press, at_us in found.alone}
    moved = [row for row in rows if row.pk in alone and row.at_us != alone[row.pk][1]]
    for row in moved:
        row.at_us = alone[row.pk][1]
    Tone.objects.bulk_update(moved, ["at_us"], batch_size=AT_ONCE)
    known = {row.pk for row in rows}
    call.tones.filter(pk__in=known - alone.keys()).delete()
    Tone.objects.bulk_create(
        [
            Tone(
                id=press.id,
                call=call,
                raw_id=press.raw_id,
                tone=press.key,
                at_us=at_us,
                is_stamped=False,
                source=Tone.Source.CALLBACK,
                is_masked=press.key == MASK,
            )
            for press, at_us in alone.values()
            if press.id not in known
        ],
        batch_size=AT_ONCE,
    )


def key_words(tone: Tone, *, shows_digits: bool) -> str:
    """Return what is said of a tone.

    `shows_digits`: to those who may hear the recording. A digit may be of a card, so
    others learn only that a key was pressed; of a masked one nobody learns more.
    """
    if tone.is_masked:
        return _("Tone %(tone)s") % {"tone": MASKED}
    return _("Tone %(tone)s") % {"tone": tone.tone} if shows_digits else _("Tone")


def tone_markers(call: Call, *, shows_digits: bool) -> list[Marker]:
    """Return the tones of a call in order of time; none while it has no clock.

    `shows_digits` as for `key_words`.
    """
    origin_us = call.origin_us
    if origin_us is None:
        return []
    return [
        {
            "at": round((tone.at_us - origin_us) / 1e6, 3),
            "kind": "tone",
            "label": key_words(tone, shows_digits=shows_digits),
            "raw_id": tone.pressed_by,
        }
        for tone in call.tones.order_by("at_us", "pk")
    ]
