"""Alarms about what no ingest process sees: orders that fail, recordings that lack."""

from datetime import datetime
from typing import Final
from uuid import UUID

from django.conf import settings
from django.db.models import Q

from calls.alarms.kinds import WEIGHTS, Kind, Weight, call_key
from calls.alarms.store import alarms_clear, alarms_close, alarms_store
from calls.alarms.thresholds import Thresholds
from calls.drafts import AlarmDraft
from calls.models import Call, CallState, CommandState, StreamCommand, Track
from calls.models.alarm import Alarm

COMPLETE_AFTER_ALL: Final = "The recording is complete after all."
# Of an hour, less than this is missing for 36 s.
NEARLY_ALL: Final = 99.0
BAD: Final = {CommandState.FAILED: "failed", CommandState.TIMED_OUT: "timed out"}


def thresholds_of(call: Call) -> Thresholds:
    """Return the thresholds that hold for a call."""
    own = call.profile.alarm_thresholds if call.profile else None
    return Thresholds.of(settings.ALARM_THRESHOLDS, own)


# Orders.


def command_alarm_update(command: StreamCommand, *, at: datetime) -> None:
    """Raise an alarm about an order that just failed; one that succeeds ends it.

    What could not be done because the call was over is no failure.
    """
    key = call_key(command.call_id, Kind.COMMAND_FAILED, command.kind)
    if command.state == CommandState.CONFIRMED:
        alarms_clear(Q(key=key), at=at)
        return
    how = BAD.get(CommandState(command.state))
    is_over = command.call.state == CallState.ENDED
    if how is None or is_over or not settings.ALARM_COMMANDS:
        return
    words = f"“{command.get_kind_display()}” {how}."
    if command.result:
        words = f"{words[:-1]}: {command.result}"
    draft = AlarmDraft(
        key=key,
        kind=Kind.COMMAND_FAILED,
        severity=WEIGHTS[Kind.COMMAND_FAILED],
        call_id=command.call_id,
        raw_id=str(command.arguments.get("participant") or ""),
        words=words,
        raised_at=at,
        since=at,
        seen_at=at,
    )
    alarms_store([draft])


# Recordings.


def recording_alarm_update(call_id: UUID, *, at: datetime) -> None:
    """Tell whether all of a call that was just finished is in its recordings."""
    key = call_key(call_id, Kind.INCOMPLETE)
    call = Call.objects.select_related("profile").get(pk=call_id)
    alarms_clear(Q(key=key), at=at)
    share, limit = call.completeness, thresholds_of(call).complete_percent
    if call.is_live or share is None:
        return
    percent = 100 * share
    if percent >= 100:
        alarms_close(Q(key=key), at=at, reason=COMPLETE_AFTER_ALL)
    if percent >= limit:
        return
    most, at_us = _missing(call_id)
    # 99.996 % is not complete, and must not read as if it were.
    shown = f"{min(percent, 99.99):.2f} %"
    words = f"{shown} of what was expected is there: up to {most:.1f} s are missing."
    is_little = percent >= NEARLY_ALL
    _recording_store(
        call,
        words,
        at=at,
        is_lasting=False,
        weight=Weight.NOTICE if is_little else Weight.WARNING,
        percent=(percent, limit),
        at_us=at_us,
    )


def _missing(call_id: UUID) -> tuple[float, int | None]:
    """Return how many seconds of who lacks most are missing, and where to listen.

    That is the capture time at which the longest gap begins.
    """
    most, longest, at_us = 0.0, 0.0, None
    for track in Track.objects.filter(call_id=call_id):
        most = max(most, track.gap_samples / track.sample_rate)
        start = 0
        for letter, samples in track.ledger.get("runs", ()):
            if letter == "g" and samples / track.sample_rate > longest:
                longest = samples / track.sample_rate
                at_us = track.origin_us + start * 1_000_000 // track.sample_rate
            start += samples
    return most, at_us


def recording_failed(call_id: UUID, reason: str, *, at: datetime) -> None:
    """Tell that a call could not be finished. It lasts until it could."""
    call = Call.objects.select_related("profile").filter(pk=call_id).first()
    if call is None or not thresholds_of(call).complete_percent:
        return
    words = f"The recordings could not be made: {reason}"
    _recording_store(call, words, at=at, is_lasting=True, weight=Weight.CRITICAL)


def no_audio_alarm_raise(call: Call, *, at: datetime) -> None:
    """Tell of a call that is over and was to be recorded, and nothing came."""
    if not thresholds_of(call).complete_percent:
        return
    words = f"Nothing was recorded. {call.streaming_reason}".strip()
    _recording_store(call, words, at=at, is_lasting=False, weight=Weight.CRITICAL)


def _recording_store(
    call: Call,
    words: str,
    *,
    at: datetime,
    is_lasting: bool,
    weight: Weight,
    percent: tuple[float, float] | None = None,
    at_us: int | None = None,
) -> None:
    key = call_key(call.pk, Kind.INCOMPLETE)
    # Finishing is tried again and again: that is one alarm, also when it is closed.
    before = Alarm.objects.filter(key=key).order_by("-opened_at").first()
    raised_at = before.opened_at if before else at
    draft = AlarmDraft(
        key=key,
        kind=Kind.INCOMPLETE,
        severity=weight,
        call_id=call.pk,
        words=words,
        value=percent[0] if percent else None,
        threshold=percent[1] if percent else None,
        at_us=at_us,
        raised_at=raised_at,
        since=raised_at,
        seen_at=at,
        cleared_at=None if is_lasting else at,
    )
    alarms_store([draft], may_last=True)
