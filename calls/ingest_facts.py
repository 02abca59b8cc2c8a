"""Reads for ingest: what the database knows of the calls it has, or takes up."""

from collections import defaultdict
from collections.abc import Collection
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from django.db.models import Max, Q
from django.db.models.functions import Coalesce
from django.utils import timezone

from calls.alarms.store import alarms_of
from calls.batches import TRACK_FIGURES
from calls.drafts import CallFacts, StopWindow, TrackDraft
from calls.models import Call, CommandState, StreamCommand, Track, TranscriptSegment
from calls.models.control import STARTS, STOPS
from calls.tones.masking import masks_tones


def call_facts(call_id: UUID) -> CallFacts:
    """Return what is stored of a call, for an ingest process that takes it up."""
    call = Call.objects.select_related("profile").filter(pk=call_id).first()
    if call is None:
        return CallFacts(is_known=False, masks_tones=masks_tones(None))
    tracks = [track_draft(track) for track in call.tracks.select_related("participant")]
    now = timezone.now()
    facts = CallFacts(
        True,
        call.connection_id,
        call.correlation_id,
        is_secret_dead=call.is_secret_dead(now),
        tracks=tracks,
        stops=stop_windows(call_id),
        alarms=alarms_of(call_id, now=now),
    )
    profile = call.profile
    facts = replace(
        facts, masks_tones=masks_tones(profile), is_bidirectional=call.hears_us
    )
    if profile is None:
        return facts
    return replace(
        facts,
        thresholds=profile.alarm_thresholds,
        handler=profile.handler,
        handler_options=profile.handler_options,
    )


def calls_wanted(calls: Collection[UUID]) -> set[UUID]:
    """Return which of the calls are up and to be streamed, as last asked for."""
    wanted = Call.objects.live().filter(
        pk__in=calls, desired_streaming=True, paused_at=None
    )
    return set(wanted.values_list("pk", flat=True))


def transcripts_newest(calls: Collection[UUID]) -> dict[UUID, int]:
    """Return which of the calls are up and to be transcribed, as last asked for.

    With when the newest piece of their text begins, µs since 1970; 0 without any.
    """
    wanted = Call.objects.live().filter(pk__in=calls, desired_transcription=True)
    # What a handler writes of the call is no word of the transcription.
    of_acs = Q(segments__source=TranscriptSegment.Source.ACS)
    begins = Max("segments__start_us", filter=of_acs)
    newest = wanted.annotate(newest=Coalesce(begins, 0))
    return dict(newest.values_list("pk", "newest"))


def calls_ended_among(calls: Collection[UUID]) -> set[UUID]:
    """Return which of the calls have ended."""
    return set(Call.objects.ended().filter(pk__in=calls).values_list("pk", flat=True))


def track_draft(track: Track) -> TrackDraft:
    """Return a stored track as the draft that would write it."""
    figures = {name: getattr(track, name) for name in TRACK_FIGURES}
    return TrackDraft(
        call_id=track.call_id,
        raw_id=track.participant.raw_id,
        sample_rate=track.sample_rate,
        **figures,
    )


def stop_windows(call_id: UUID) -> list[StopWindow]:
    """Return when nobody wanted streaming: from each stop to the start after it."""
    return stop_windows_by_call([call_id])[call_id]


def stop_windows_by_call(calls: Collection[UUID]) -> dict[UUID, list[StopWindow]]:
    """Return the `stop_windows` of many calls with one query."""
    orders = StreamCommand.objects.filter(
        call_id__in=calls,
        kind__in=STARTS + STOPS,
        state__in=(CommandState.SENT, CommandState.CONFIRMED),
        sent_at__isnull=False,
    )
    sent: dict[UUID, list[tuple[datetime, bool]]] = defaultdict(list)
    for order in orders.order_by("sent_at"):
        if order.sent_at is None:
            raise AssertionError("the query excludes commands that were not sent")
        before, is_stop = sent[order.call_id], order.kind in STOPS
        at = order.sent_at
        if is_stop and order.is_unsure and order.attempts > 1:
            # Sent again, although ACS may have obeyed its first try, of which is known
            # only that it came after asking. Clocks differ: it still follows what was
            # sent before it.
            at = max([order.asked_at, *(when for when, _ in before[-1:])])
        before.append((at, is_stop))
    return {call_id: _windows(sent[call_id]) for call_id in calls}


def _windows(orders: list[tuple[datetime, bool]]) -> list[StopWindow]:
    """Return the windows that orders (when, whether to stop) open and close."""
    windows: list[StopWindow] = []
    stopped: datetime | None = None
    for sent_at, is_stop in orders:
        if is_stop:
            stopped = stopped or sent_at
        elif stopped:
            windows.append(StopWindow(stopped, sent_at))
            stopped = None
    if stopped:
        windows.append(StopWindow(stopped, None))
    return windows
