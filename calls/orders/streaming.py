"""Orders about a call's audio: start, stop, pause, resume."""

from calls.acs import Acs
from calls.models import (
    Call,
    CommandKind,
    CommandState,
    StreamCommand,
    StreamingState,
)
from calls.models.control import STARTS, STOPS
from calls.orders.order import (
    Arguments,
    CommandRefused,
    Given,
    Order,
    Shown,
    connection_id_of,
    mark_of,
    not_connected,
)

STREAMING_KINDS = STARTS + STOPS
WHY_LIMIT = 80


def _start_refusal(call: Call, _: Arguments) -> str:
    if call.is_live and call.streaming_state == StreamingState.STREAMING:
        return "The call is being streamed already."
    if call.is_live and call.paused_at:
        return "Recording is paused. Resume it instead."
    return not_connected(call)


def _is_streamed(acs: Acs, command: StreamCommand) -> str:
    found = acs.properties(connection_id_of(command.call))
    if found.streaming != "active":
        return ""
    return "ACS says streaming is active."


def _start_send(acs: Acs, command: StreamCommand) -> None:
    acs.start_media_streaming(connection_id_of(command.call), mark=mark_of(command))


def _stop_refusal(call: Call, _: Arguments) -> str:
    is_off = call.streaming_state in (StreamingState.OFF, StreamingState.STOPPED)
    if call.is_live and is_off and not call.desired_streaming:
        return "The call is not being streamed."
    return not_connected(call)


def _is_not_streamed(acs: Acs, command: StreamCommand) -> str:
    found = acs.properties(connection_id_of(command.call))
    if found.streaming == "active":
        return ""
    return "ACS says streaming is not active."


def _stop_send(acs: Acs, command: StreamCommand) -> None:
    acs.stop_media_streaming(connection_id_of(command.call), mark=mark_of(command))


def _pause_read(_: Call, given: Given) -> Arguments:
    reason = " ".join(str(given.get("reason") or "").split())
    if not reason:
        raise CommandRefused("Say why recording is to pause, such as “card number”.")
    if len(reason) > WHY_LIMIT:
        raise CommandRefused(f"The reason may have {WHY_LIMIT} characters.")
    return {"reason": reason}


def _pause_refusal(call: Call, arguments: Arguments) -> str:
    if call.is_live and call.paused_at:
        return "Recording is paused already."
    return _stop_refusal(call, arguments)


def _resume_refusal(call: Call, _: Arguments) -> str:
    if call.is_live and not call.paused_at:
        return "Recording is not paused."
    return not_connected(call)


# Confirmed is not yet heard: only audio makes it streaming.
_STARTED = Shown(
    column="streaming_state",
    wanted="desired_streaming",
    reason="streaming_reason",
    is_wanted=True,
    asked=StreamingState.REQUESTED,
    confirmed=StreamingState.CONNECTING,
    failed=StreamingState.FAILED,
)
# Not stopped: for all we know it goes on. Ingest corrects us if it does not.
_STOPPED = Shown(
    column="streaming_state",
    wanted="desired_streaming",
    reason="streaming_reason",
    is_wanted=False,
    asked=StreamingState.STOPPING,
    confirmed=StreamingState.STOPPED,
    failed=StreamingState.STREAMING,
)

START = Order(
    permission="calls.control_streaming",
    refusal=_start_refusal,
    evidence=_is_streamed,
    send=_start_send,
    is_repeatable=False,
    proofs=frozenset({"MediaStreamingStarted"}),
    disproofs=frozenset({"MediaStreamingFailed"}),
    media_proof=StreamingState.STREAMING,
    excludes=STREAMING_KINDS,
    shown=_STARTED,
)
STOP = Order(
    permission="calls.control_streaming",
    refusal=_stop_refusal,
    evidence=_is_not_streamed,
    send=_stop_send,
    is_repeatable=False,
    proofs=frozenset({"MediaStreamingStopped"}),
    disproofs=frozenset({"MediaStreamingFailed"}),
    media_proof=StreamingState.STOPPED,
    at_call_end=(CommandState.CONFIRMED, "Streaming stopped as the call ended."),
    excludes=STREAMING_KINDS,
    shown=_STOPPED,
)
PAUSE = Order(
    permission="calls.pause_recording",
    read=_pause_read,
    refusal=_pause_refusal,
    evidence=_is_not_streamed,
    send=_stop_send,
    is_repeatable=False,
    proofs=STOP.proofs,
    disproofs=STOP.disproofs,
    media_proof=StreamingState.STOPPED,
    at_call_end=STOP.at_call_end,
    excludes=STREAMING_KINDS,
    # What is said until it is carried out is kept.
    is_urgent=True,
    shown=_STOPPED,
)
RESUME = Order(
    permission="calls.pause_recording",
    refusal=_resume_refusal,
    evidence=_is_streamed,
    send=_start_send,
    is_repeatable=False,
    proofs=START.proofs,
    disproofs=START.disproofs,
    media_proof=StreamingState.STREAMING,
    excludes=STREAMING_KINDS,
    shown=_STARTED,
)

ORDERS: dict[str, Order] = {
    CommandKind.START_STREAMING: START,
    CommandKind.STOP_STREAMING: STOP,
    CommandKind.PAUSE: PAUSE,
    CommandKind.RESUME: RESUME,
}
