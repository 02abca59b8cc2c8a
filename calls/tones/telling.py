"""Tones as callbacks tell them: ContinuousDtmfRecognitionToneReceived.

A callback names no participant, only the order that had ACS listen to one. It counts
the tones of that order, and says when it was told by ACS's clock, so it does not matter
when it arrives. What else a service may write (who it was, the tone in an object of its
own) is read too.
"""

from collections.abc import Iterable, Iterator
from typing import Any

from calls import identity
from calls.envelopes import integer_of, part_of, text_of
from calls.instants import microseconds
from calls.models import Call, CallEvent
from calls.orders.tones import KINDS, RECEIVED
from calls.tones.index import MAX_TONES
from calls.tones.pairing import Press
from streaming.protocol import read_tone

# A tone that is told again within so long, with the same number, is the same tone.
COPY_US = 30_000_000


def told_presses(call: Call) -> list[Press]:
    """Return the keys that callbacks of a call told, each once."""
    events = call.events.filter(source=CallEvent.Source.CALLBACK, kind=RECEIVED)
    heard = _heard_of(call)
    presses = _presses(call, events.order_by("received_at", "pk")[:MAX_TONES], heard)
    return list(_once(presses))


def _heard_of(call: Call) -> dict[str, str]:
    """Return whom the orders of a call had ACS listen to, by their context."""
    orders = call.commands.filter(kind__in=KINDS)
    return {
        str(pk): str(arguments.get("participant", ""))
        for pk, arguments in orders.values_list("pk", "arguments")
    }


Told = tuple[Press, str]


def _presses(
    call: Call, events: Iterable[CallEvent], heard: dict[str, str]
) -> Iterator[Told]:
    """Yield what each callback tells, and under which context."""
    for event in events:
        told = part_of(event.body if isinstance(event.body, dict) else {}, "data")
        # Older previews put both into an object of their own.
        inner = told | part_of(told, "toneInfo")
        key = read_tone(text_of(inner, "tone"))[:32]
        if not key:
            continue
        context = text_of(told, "operationContext")
        yield (
            Press(
                id=identity.told_tone_id(call.pk, event.event_id),
                raw_id=_named(told) or heard.get(context, ""),
                key=key,
                at_us=microseconds(event.happened_at or event.received_at),
                number=integer_of(inner, "sequenceId") or 0,
            ),
            context,
        )


def _named(told: dict[str, Any]) -> str:
    """Return the raw id a callback names, empty if it names nobody."""
    for name in ("participant", "targetParticipant", "identifier"):
        if raw_id := text_of(part_of(told, name), "rawId")[:255]:
            return raw_id
    return ""


def _once(presses: Iterable[Told]) -> Iterator[Press]:
    """Yield each press once: a copy under another event id has the same number."""
    last_us: dict[tuple[str, str, int], int] = {}
    ordered = sorted(presses, key=lambda one: (one[0].at_us, str(one[0].id)))
    for press, context in ordered:
        name = (context, press.raw_id, press.number)
        before_us = last_us.get(name)
        last_us[name] = press.at_us
        is_counted = bool(press.number and context)
        if is_counted and before_us is not None and press.at_us - before_us <= COPY_US:
            continue
        yield press
