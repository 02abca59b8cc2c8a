"""Moments of a call that are marked on its waveforms, live and archived.

`SOURCES` are functions from a call to its markers; whoever has another kind of moment
adds a function. Each asks the database once, however many moments there are.
"""

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from itertools import chain, islice
from typing import TypedDict
from uuid import UUID

from django.contrib.auth.decorators import permission_required
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils.translation import gettext as _
from django.views.decorators.http import conditional_page, require_safe

from calls import formats
from calls.history.spoken import utterance_name
from calls.history.views import found
from calls.instants import microseconds
from calls.models import Alarm, Call, CommandKind, CommandState, StreamCommand
from calls.tones.keeping import tone_markers

# A page cannot show more; the timeline has them all.
MOST = 500
LONGEST_LABEL = 120


class Marker(TypedDict):
    """A moment. `at`: seconds on the call's clock; `raw_id` empty: the whole call."""

    at: float
    kind: str
    label: str
    raw_id: str


Source = Callable[[Call], Iterable[Marker]]


def marker(
    call: Call, kind: str, at_us: int | None, label: str, raw_id: str = ""
) -> Iterator[Marker]:
    """Yield a moment, if it and the zero of the call's clock are known.

    What was before the first packet is shown at the beginning.
    """
    if at_us is None or call.origin_us is None:
        return
    at = max(at_us - call.origin_us, 0) / 1e6
    if len(label) > LONGEST_LABEL:
        label = f"{label[:LONGEST_LABEL]}…"
    yield {"at": at, "kind": kind, "label": label, "raw_id": raw_id}


def alarm_markers(call: Call) -> Iterator[Marker]:
    """Yield where alarms began, closed ones too."""
    for alarm in Alarm.objects.filter(call=call).order_by("at_us")[:MOST]:
        label = f"{alarm.get_kind_display()}: {alarm.words}"
        yield from marker(call, "alarm", alarm.at_us, label, alarm.raw_id)


def note_markers(call: Call) -> Iterator[Marker]:
    """Yield the moments that notes are about."""
    for note in call.notes.exclude(at_us=None)[:MOST]:
        label = f"{note.author_name}: {note.text}"
        yield from marker(call, "note", note.at_us, label)


def command_markers(call: Call) -> Iterator[Marker]:
    """Yield where streaming was paused, resumed, stopped and started by order."""
    kinds = (
        CommandKind.PAUSE,
        CommandKind.RESUME,
        CommandKind.STOP_STREAMING,
        CommandKind.START_STREAMING,
    )
    carried_out = StreamCommand.objects.filter(
        call=call, kind__in=kinds, state=CommandState.CONFIRMED
    )
    for command in carried_out.order_by("asked_at")[:MOST]:
        at = _us(command.sent_at or command.asked_at)
        label = str(command.get_kind_display())
        yield from marker(call, command.kind, at, label)


def people_markers(call: Call) -> Iterator[Marker]:
    """Yield who came and who went."""
    for person in call.participants.all()[:MOST]:
        name = formats.who(person.display_name, person.raw_id)
        for kind, at, label in (
            ("joined", person.joined_at, _("%(name)s joined")),
            ("left", person.left_at, _("%(name)s left")),
        ):
            words = label % {"name": name}
            yield from marker(call, kind, _us(at), words, person.raw_id)


def spoken_markers(call: Call) -> Iterator[Marker]:
    """Yield where something that we said was first heard."""
    for said in call.utterances.exclude(start_us=None).order_by("start_us")[:MOST]:
        yield from marker(call, "spoken", said.start_us, utterance_name(said))


SOURCES: list[Source] = [
    alarm_markers,
    note_markers,
    command_markers,
    people_markers,
    spoken_markers,
]


def markers_of(call: Call, *, shows_digits: bool) -> list[Marker]:
    """Return a call's moments in order.

    `shows_digits`: also which keys were pressed, for those who may hear the recording.
    """
    known = chain.from_iterable(source(call) for source in SOURCES)
    tones = islice(tone_markers(call, shows_digits=shows_digits), MOST)
    return sorted(
        chain(known, tones), key=lambda one: (one["at"], one["kind"], one["label"])
    )


def _us(at: datetime | None) -> int | None:
    return microseconds(at) if at else None


@require_safe
@permission_required("calls.view_call", raise_exception=True)
@conditional_page
def markers_json(request: HttpRequest, call_id: UUID) -> HttpResponse:
    """Send a call's moments, or 304 if nothing is new."""
    shows_digits = request.user.has_perm("calls.play_recording")
    moments = markers_of(found(call_id), shows_digits=shows_digits)
    response = JsonResponse(moments, safe=False)
    response["Cache-Control"] = "private, no-cache"
    return response
