"""DTMF tones: drafts into rows, rows into markers on a call's timeline."""

from collections.abc import Iterable
from typing import TypedDict

from django.utils.translation import gettext as _

from calls.batches import storable
from calls.drafts import ToneDraft
from calls.models import Call, Tone

AT_ONCE = 500


class Marker(TypedDict):
    """A moment on the call's clock. `at` in seconds after `call.origin_us`."""

    at: float
    kind: str
    label: str
    raw_id: str


def tones_store(drafts: Iterable[ToneDraft]) -> None:
    """Write DTMF tones; what is there stays, a tone never becomes another."""
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


def tone_markers(call: Call, *, shows_digits: bool) -> list[Marker]:
    """Return the tones of a call in order of time; none while it has no clock.

    `shows_digits`: for those who may hear the recording. A digit may be of a card, so
    others learn only that a key was pressed.
    """
    origin_us = call.origin_us
    if origin_us is None:
        return []
    return [
        {
            "at": round((tone.at_us - origin_us) / 1e6, 3),
            "kind": "tone",
            "label": _("Tone %(tone)s") % {"tone": tone.tone}
            if shows_digits
            else _("Tone"),
            "raw_id": tone.raw_id,
        }
        for tone in call.tones.order_by("at_us", "pk")
    ]
