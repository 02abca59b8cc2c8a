"""The end of a call that its last socket did not live to hear.

If the last socket of a call broke (its process was killed, the network went) and ACS
dialled no other, then what was said between its last packet and the end of the call,
or the moment streaming was stopped, was never received. That is a gap like any other,
only that no later packet tells its length; ACS's own event does.
"""

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from calls.audio.pcm import slot_samples, us_to_samples
from calls.audio.track import TrackAudio
from calls.instants import microseconds
from calls.journals.replay import JournalCount, PacketRef
from calls.models import Call, CallEvent

# Closes by which ACS said that it had no more to say.
ORDERLY = {1000, 1001}
# Between the last packet and the event that ends a call lies some time in any case.
PATIENCE_US = 1_000_000
# ACS's clock and ours may disagree; a tail longer than a day is a clock gone wrong.
LONGEST_US = 86_400_000_000


def tails_mark(
    call_id: UUID,
    counts: Iterable[JournalCount],
    tracks: Iterable[TrackAudio[PacketRef]],
) -> int:
    """Put the gap between each track's end and the call's end on its ledger.

    Only if the last socket ended without a close by ACS. A participant whose packets
    had ended before the socket broke had left. Returns how many tracks have a tail.
    """
    media = (count for count in counts if count.header.socket == "media")
    last = max(media, key=lambda count: count.header.opened_at_us, default=None)
    if last is None:
        return 0
    if last.is_sealed and last.close_code in ORDERLY:
        return 0
    end = _end_of_streaming(call_id)
    if end is None:
        return 0
    broke_us = last.header.opened_at_us + last.last_arrival_us
    marked = 0
    for track in tracks:
        if track.is_ours:
            continue
        origin = track.timeline.origin
        if origin is None or broke_us - track.last_arrival_us > PATIENCE_US:
            continue
        length = us_to_samples(microseconds(end) - origin, track.rate)
        tail = length - track.timeline.end
        if (
            us_to_samples(PATIENCE_US, track.rate)
            < tail
            <= us_to_samples(LONGEST_US, track.rate)
        ):
            slot = slot_samples(track.rate)
            track.mark_lost(tail // slot * slot)
            marked += 1
    return marked


def _end_of_streaming(call_id: UUID) -> datetime | None:
    """Return when, by ACS's clock, there was no more audio to expect; None if live."""
    if not Call.objects.ended().filter(pk=call_id).exists():
        return None
    told = CallEvent.objects.filter(call_id=call_id, happened_at__isnull=False)
    events = told.filter(kind__in=("CallDisconnected", "MediaStreamingStopped"))
    first = events.order_by("happened_at")
    started = told.filter(kind="MediaStreamingStarted").order_by("happened_at").last()
    if started:
        # What an earlier stop ended was begun again.
        first = first.filter(happened_at__gte=started.happened_at)
    event = first.first()
    return event.happened_at if event else None
