"""Where what we show and what is true over there differ, once all has come to rest."""

from collections.abc import Iterator
from typing import Any

from calls.models import (
    Call,
    CommandState,
    Evidence,
    StreamCommand,
    StreamingState,
    TranscriptionState,
)
from calls.models.control import OPEN_COMMAND_STATES

LIVE = ("ringing", "connecting", "connected")
GOES_ON = {
    StreamingState.CONNECTING,
    StreamingState.STREAMING,
    StreamingState.STALLED,
}
AT_REST = GOES_ON | {
    StreamingState.OFF,
    StreamingState.STOPPED,
    StreamingState.FAILED,
}


def lies(call: Call, truth: Any) -> list[str]:
    """Return every claim on our side that the other side's report contradicts."""
    call.refresh_from_db()
    found = [*_of_call(call, truth), *_of_commands(call, truth)]
    if call.is_live and truth["state"] == "connected":
        found += [
            *_of_streaming(call, truth),
            *_of_transcription(call, truth),
            *_of_people(call, truth),
        ]
    return found


def _of_call(call: Call, truth: Any) -> Iterator[str]:
    if call.is_live != (truth["state"] in LIVE):
        yield f"the call is shown as {call.state}, and is {truth['state']}"
    if not call.is_live and not call.end_reason:
        yield "the call ended without a reason"
    if not call.is_live and call.streaming_state in GOES_ON:
        yield f"an ended call is shown as {call.streaming_state}"


def _of_streaming(call: Call, truth: Any) -> Iterator[str]:
    is_active = truth["media"]["state"] == "active"
    if call.streaming_state not in AT_REST:
        yield f"streaming is shown as {call.streaming_state} for ever"
    if is_active != (call.streaming_state in GOES_ON):
        yield f"streaming is shown as {call.streaming_state}; active: {is_active}"
    if call.streaming_state == StreamingState.FAILED and not call.streaming_reason:
        yield "streaming failed without a reason"
    if truth["media"]["double_starts"]:
        yield "streaming was started twice"
    if call.paused_at and is_active:
        yield "the call is shown as paused, and streams"


def _of_transcription(call: Call, truth: Any) -> Iterator[str]:
    told = truth.get("transcription") or {}
    is_active = told.get("state") == "active"
    if is_active != (call.transcription_state == TranscriptionState.RUNNING):
        yield f"transcription is shown as {call.transcription_state}, and is {told}"


def _of_people(call: Call, truth: Any) -> Iterator[str]:
    present = call.participants.filter(left_at=None)
    shown = {
        "roster": {each.raw_id for each in present},
        "muted": {each.raw_id for each in present if each.is_muted},
        "on_hold": {each.raw_id for each in present if each.is_on_hold},
    }
    for name, raw_ids in shown.items():
        if raw_ids != set(truth[name]):
            yield f"{name} is shown as {raw_ids}, and is {truth[name]}"


def _of_commands(call: Call, truth: Any) -> Iterator[str]:
    contexts = [each["operation_context"] for each in truth["effects"]]
    for command in call.commands.all():
        effects = contexts.count(str(command.pk))
        for lie in _of_command(command, effects):
            yield f"{command.kind} {command.state} ({command.result}): {lie}"


def _of_command(command: StreamCommand, effects: int) -> Iterator[str]:
    if command.state in OPEN_COMMAND_STATES:
        yield "still under way"
    if effects > 1:
        yield f"carried out {effects} times"
    proved = command.evidence in (Evidence.CALLBACK, Evidence.ANSWER)
    if command.state == CommandState.CONFIRMED and proved and not effects:
        yield "confirmed by ACS's word on it, and never carried out"
    refused = command.evidence == Evidence.ANSWER and not command.is_unsure
    if command.state == CommandState.FAILED and refused and effects:
        yield "refused, and carried out"
    if command.state != CommandState.CONFIRMED and not command.result:
        yield "without a word why"
