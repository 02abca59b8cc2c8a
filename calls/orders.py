"""Every kind of command, in one table: what is sent and what proves it.

A new command is a `CommandKind` and an entry of `ORDERS`.
"""

from collections.abc import Callable
from dataclasses import dataclass

from django.conf import settings

from calls import lifecycle
from calls.acs import Acs, AcsRefused, MediaOptions, OrderMark
from calls.capability import call_secret
from calls.models import (
    Call,
    CallState,
    CommandKind,
    CommandState,
    StreamCommand,
    StreamingProfile,
    StreamingState,
)

STREAMING_KINDS = (CommandKind.START_STREAMING, CommandKind.STOP_STREAMING)


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What there is to know of one kind of command.

    - `refusal` says why it makes no sense for a call as it stands; empty if it does.
    - `already` asks ACS before sending and returns the evidence that nothing is left to
      do; empty if there is.
    - `send` is the request.
    - `proofs` and `disproofs` are the callbacks that settle it. They must carry its id
      as `operationContext`, unless any such callback of the call will do.
    - `media_proof` is what media must be seen to do to settle it.
    - `at_call_end` is how it ends if the call ends first.
    - `excludes` are kinds that must not be under way when it is asked.
    - `streaming` is what the call shows of its streaming because of it.
    """

    refusal: Callable[[Call], str]
    already: Callable[[Acs, Call], str]
    send: Callable[[Acs, StreamCommand], None]
    proofs: frozenset[str]
    disproofs: frozenset[str] = frozenset()
    needs_context: bool = True
    media_proof: StreamingState | None = None
    at_call_end: tuple[CommandState, str]
    excludes: tuple[CommandKind, ...] = ()
    streaming: "StreamingShown | None" = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamingShown:
    """A call's streaming state once an order is asked, and once that has settled."""

    is_wanted: bool
    asked: StreamingState
    confirmed: StreamingState
    failed: StreamingState


def _mark(command: StreamCommand) -> OrderMark:
    return OrderMark(context=str(command.id), first_sent=command.asked_at)


def _connection_id(call: Call) -> str:
    if not call.connection_id:
        raise AcsRefused("ACS has not told us the connection id of this call yet.")
    return call.connection_id


def _not_connected(call: Call) -> str:
    if not call.is_live:
        return "The call has ended."
    connected = call.state == CallState.CONNECTED and call.connection_id
    return "" if connected else "The call is not connected yet."


def media_options(call: Call) -> MediaOptions:
    """Return how `call` is to be streamed, by its profile."""
    profile = call.profile or StreamingProfile.default()
    return MediaOptions(
        url=f"{profile.media_base}/media/{call_secret(call.id)}",
        is_mixed=profile.channels == StreamingProfile.Channels.MIXED,
        sample_rate=profile.sample_rate,
        start_at_answer=profile.start_at_answer,
        is_bidirectional=profile.bidirectional,
        dtmf_tones=profile.dtmf_tones,
    )


def _answer_refusal(call: Call) -> str:
    if call.state != CallState.RINGING:
        return "The call is not ringing."
    return "" if call.incoming_call_context else "The call cannot be answered any more."


def _answer_already(_: Acs, call: Call) -> str:
    return "The call was connected already." if call.connected_at else ""


def _answer_send(acs: Acs, command: StreamCommand) -> None:
    call = command.call
    if not call.incoming_call_context:
        raise AcsRefused("The call cannot be answered any more.")
    answered = acs.answer(
        incoming_call_context=call.incoming_call_context,
        callback_url=f"{settings.PUBLIC_URL}/webhooks/calls/{call_secret(call.id)}",
        media=media_options(call),
        mark=_mark(command),
    )
    known = Call.objects.filter(pk=call.pk)
    # A callback may have told us before this answer did.
    lifecycle.connection_learn(call.pk, answered.connection_id)
    known.filter(state=CallState.RINGING).update(state=CallState.ANSWERING)
    known.update(
        incoming_call_context="",
        server_call_id=answered.server_call_id,
        correlation_id=answered.correlation_id,
    )


def _start_refusal(call: Call) -> str:
    if call.is_live and call.streaming_state == StreamingState.STREAMING:
        return "The call is being streamed already."
    return _not_connected(call)


def _start_already(acs: Acs, call: Call) -> str:
    found = acs.properties(_connection_id(call))
    return (
        "ACS says streaming is active already." if found.streaming == "active" else ""
    )


def _start_send(acs: Acs, command: StreamCommand) -> None:
    acs.start_media_streaming(_connection_id(command.call), mark=_mark(command))


def _stop_refusal(call: Call) -> str:
    is_off = call.streaming_state in (StreamingState.OFF, StreamingState.STOPPED)
    if call.is_live and is_off and not call.desired_streaming:
        return "The call is not being streamed."
    return _not_connected(call)


def _stop_already(acs: Acs, call: Call) -> str:
    found = acs.properties(_connection_id(call))
    return "" if found.streaming == "active" else "ACS says streaming is not active."


def _stop_send(acs: Acs, command: StreamCommand) -> None:
    acs.stop_media_streaming(_connection_id(command.call), mark=_mark(command))


def _hang_up_already(acs: Acs, call: Call) -> str:
    if not call.is_live:
        return "The call had ended."
    try:
        found = acs.properties(_connection_id(call))
    except AcsRefused as refused:
        if refused.is_call_gone:
            return "ACS says there is no such call any more."
        raise
    return "ACS says the call had ended." if found.state == "disconnected" else ""


def _hang_up_send(acs: Acs, command: StreamCommand) -> None:
    acs.hang_up(_connection_id(command.call), for_everyone=True, mark=_mark(command))


ORDERS: dict[str, Order] = {
    CommandKind.ANSWER: Order(
        refusal=_answer_refusal,
        already=_answer_already,
        send=_answer_send,
        proofs=frozenset({"CallConnected"}),
        disproofs=frozenset({"AnswerFailed"}),
        needs_context=False,
        media_proof=StreamingState.STREAMING,
        # Only a call that was connected is ever disconnected.
        at_call_end=(CommandState.CONFIRMED, "The call was connected, and has ended."),
        excludes=(CommandKind.ANSWER,),
    ),
    CommandKind.START_STREAMING: Order(
        refusal=_start_refusal,
        already=_start_already,
        send=_start_send,
        proofs=frozenset({"MediaStreamingStarted"}),
        disproofs=frozenset({"MediaStreamingFailed"}),
        media_proof=StreamingState.STREAMING,
        at_call_end=(CommandState.FAILED, "The call ended first."),
        excludes=STREAMING_KINDS,
        # Confirmed is not yet heard: only audio makes it streaming.
        streaming=StreamingShown(
            is_wanted=True,
            asked=StreamingState.REQUESTED,
            confirmed=StreamingState.CONNECTING,
            failed=StreamingState.FAILED,
        ),
    ),
    CommandKind.STOP_STREAMING: Order(
        refusal=_stop_refusal,
        already=_stop_already,
        send=_stop_send,
        proofs=frozenset({"MediaStreamingStopped"}),
        disproofs=frozenset({"MediaStreamingFailed"}),
        media_proof=StreamingState.STOPPED,
        at_call_end=(CommandState.CONFIRMED, "Streaming stopped as the call ended."),
        excludes=STREAMING_KINDS,
        # Not stopped: for all we know it goes on. Ingest corrects us if it does not.
        streaming=StreamingShown(
            is_wanted=False,
            asked=StreamingState.STOPPING,
            confirmed=StreamingState.STOPPED,
            failed=StreamingState.STREAMING,
        ),
    ),
    CommandKind.HANG_UP: Order(
        refusal=_not_connected,
        already=_hang_up_already,
        send=_hang_up_send,
        # ACS sends no context with the end of a call; any end will do, if in time.
        proofs=frozenset(),
        at_call_end=(CommandState.CONFIRMED, "The call has ended."),
        excludes=(CommandKind.HANG_UP,),
    ),
}
