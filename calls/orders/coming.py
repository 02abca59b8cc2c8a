"""Orders by which a call comes about, or does not: answer, reject, place, connect."""

from typing import get_args

from django.conf import settings

from calls import lifecycle
from calls.acs import (
    Acs,
    AcsRefused,
    CallProperties,
    Locator,
    MediaOptions,
    TranscriptionOptions,
)
from calls.doors.capability import call_secret
from calls.models import (
    Call,
    CallState,
    CommandKind,
    CommandState,
    StreamCommand,
    StreamingProfile,
    StreamingState,
    TranscriptionStart,
)
from calls.orders.order import (
    Arguments,
    CommandRefused,
    Given,
    Order,
    mark_of,
)
from calls.raw_ids import NotAnIdError, raw_id_read

INCOMING = (CommandKind.ANSWER, CommandKind.REJECT, CommandKind.REDIRECT)
RINGING_SECONDS = 60
REASONS = ("none", "busy", "forbidden")
LOCATORS = get_args(Locator.__annotations__["kind"])
WENT = (CommandState.CONFIRMED, "The call was connected, and has ended.")


def media_options(call: Call) -> MediaOptions:
    """Return how `call` is to be streamed, by its profile; both ways as it keeps."""
    profile = call.profile or StreamingProfile.default()
    both_ways = call.is_bidirectional
    return MediaOptions(
        url=f"{profile.media_base}/media/{call_secret(call.id)}",
        is_mixed=profile.channels == StreamingProfile.Channels.MIXED,
        sample_rate=profile.sample_rate,
        start_at_answer=profile.start_at_answer,
        is_bidirectional=profile.bidirectional if both_ways is None else both_ways,
        dtmf_tones=profile.dtmf_tones,
    )


def transcription_options(call: Call) -> TranscriptionOptions | None:
    """Return how `call` is to be transcribed, by its profile; None: not at all.

    Without an Azure AI resource it cannot be. Then it is not asked for either: whether
    ACS would still take the call with such a wish is not documented.
    """
    profile = call.profile or StreamingProfile.default()
    is_off = profile.transcription == TranscriptionStart.OFF
    if is_off or not settings.COGNITIVE_ENDPOINT:
        return None
    return TranscriptionOptions(
        url=f"{profile.media_base}/transcription/{call_secret(call.id)}",
        locale=profile.locale,
        start_at_answer=profile.transcription == TranscriptionStart.AT_ANSWER,
        intermediate_results=profile.intermediate_results,
    )


def callback_url(call: Call) -> str:
    """Return where ACS is to post what happens in `call`."""
    return f"{settings.PUBLIC_URL}/webhooks/calls/{call_secret(call.id)}"


def _still_rings(call: Call, _: Arguments) -> str:
    if call.state != CallState.RINGING:
        return "The call is not ringing."
    if not call.incoming_call_context:
        return "The call cannot be answered any more."
    return ""


def _context_of(call: Call) -> str:
    if not call.incoming_call_context:
        raise AcsRefused("The call cannot be answered any more.")
    return call.incoming_call_context


def _is_connected(acs: Acs, command: StreamCommand) -> str:
    call = command.call
    if call.connected_at:
        return "The call was connected already."
    if not call.connection_id:
        return ""
    if acs.properties(call.connection_id).state != "connected":
        return ""
    return "ACS says the call is connected."


def _learn(call: Call, told: CallProperties, *, ringing: CallState) -> None:
    """Keep what ACS answered. A callback may have told us before this answer did."""
    known = Call.objects.filter(pk=call.pk)
    lifecycle.connection_learn(call.pk, told.connection_id)
    known.filter(state=CallState.RINGING).update(state=ringing)
    known.update(
        incoming_call_context="",
        server_call_id=told.server_call_id or call.server_call_id,
        correlation_id=told.correlation_id or call.correlation_id,
    )


def _answer_send(acs: Acs, command: StreamCommand) -> None:
    call = command.call
    answered = acs.answer(
        incoming_call_context=_context_of(call),
        callback_url=callback_url(call),
        media=media_options(call),
        transcription=transcription_options(call),
        mark=mark_of(command),
    )
    _learn(call, answered, ringing=CallState.ANSWERING)


def _reject_read(_: Call, given: Given) -> Arguments:
    reason = str(given.get("reason") or "none")
    if reason not in REASONS:
        raise CommandRefused(f"The reason must be one of {', '.join(REASONS)}.")
    return {"reason": reason}


def _reject_send(acs: Acs, command: StreamCommand) -> str:
    reason = command.arguments.get("reason", "none")
    acs.reject(
        incoming_call_context=_context_of(command.call),
        reason=reason,
        mark=mark_of(command),
    )
    return f"ACS rejected the call ({reason})."


def target_read(_: Call, given: Given) -> Arguments:
    """Return whom an order is about to ring, and what number they are shown."""
    try:
        arguments = {"target": raw_id_read(str(given.get("target") or ""))}
        shown = str(given.get("caller_id") or "").strip()
        if shown:
            arguments["caller_id"] = raw_id_read(shown).removeprefix("4:")
    except NotAnIdError as exc:
        raise CommandRefused(str(exc)) from exc
    if arguments.get("caller_id", "+")[0] != "+":
        raise CommandRefused("The caller id must be a phone number such as +1206….")
    return arguments


def _redirect_send(acs: Acs, command: StreamCommand) -> str:
    acs.redirect(
        incoming_call_context=_context_of(command.call),
        target=command.arguments["target"],
        mark=mark_of(command),
    )
    return "ACS redirected the call."


def place_read(call: Call, given: Given) -> Arguments:
    """Return whom to ring. A phone can be rung only from a number of ours."""
    arguments = target_read(call, given)
    if arguments["target"].startswith("4:") and "caller_id" not in arguments:
        raise CommandRefused(
            "To ring a phone, ACS needs a caller id: a number of ours."
        )
    return arguments


def _not_made(call: Call, _: Arguments) -> str:
    return "" if call.state == CallState.RINGING else "The call was placed already."


def _place_send(acs: Acs, command: StreamCommand) -> None:
    call, arguments = command.call, command.arguments
    placed = acs.place(
        target=arguments["target"],
        caller_id=arguments.get("caller_id", ""),
        callback_url=callback_url(call),
        media=media_options(call),
        transcription=transcription_options(call),
        mark=mark_of(command),
    )
    # It rings over there: "answering" would say that we do.
    _learn(call, placed, ringing=CallState.RINGING)


def connect_read(_: Call, given: Given) -> Arguments:
    """Return which running call to join."""
    kind, name = str(given.get("kind") or ""), str(given.get("id") or "").strip()
    if kind not in LOCATORS:
        raise CommandRefused(f"A running call is found by {', '.join(LOCATORS)}.")
    if not name or len(name) > 2000:
        raise CommandRefused("Say which call: its id is missing or too long.")
    return {"kind": kind, "id": name}


def _connect_send(acs: Acs, command: StreamCommand) -> None:
    call = command.call
    joined = acs.connect(
        locator=Locator(command.arguments["kind"], command.arguments["id"]),
        callback_url=callback_url(call),
        media=media_options(call),
        transcription=transcription_options(call),
        mark=mark_of(command),
    )
    _learn(call, joined, ringing=CallState.ANSWERING)


ORDERS: dict[str, Order] = {
    CommandKind.ANSWER: Order(
        permission="calls.place_call",
        refusal=_still_rings,
        evidence=_is_connected,
        send=_answer_send,
        proofs=frozenset({"CallConnected"}),
        disproofs=frozenset({"AnswerFailed"}),
        needs_context=False,
        media_proof=StreamingState.STREAMING,
        # Only a call that was connected is ever disconnected.
        at_call_end=WENT,
        excludes=INCOMING,
        # It rings: who waits too long has gone.
        is_urgent=True,
        by_hand=False,
    ),
    CommandKind.REJECT: Order(
        permission="calls.hang_up",
        read=_reject_read,
        refusal=_still_rings,
        send=_reject_send,
        excludes=INCOMING,
        is_urgent=True,
        by_hand=False,
    ),
    CommandKind.REDIRECT: Order(
        permission="calls.transfer_call",
        read=target_read,
        refusal=_still_rings,
        send=_redirect_send,
        excludes=INCOMING,
        is_urgent=True,
        by_hand=False,
    ),
    CommandKind.PLACE_CALL: Order(
        permission="calls.place_call",
        read=place_read,
        refusal=_not_made,
        evidence=_is_connected,
        send=_place_send,
        proofs=frozenset({"CallConnected"}),
        disproofs=frozenset({"CreateCallFailed"}),
        needs_context=False,
        media_proof=StreamingState.STREAMING,
        at_call_end=WENT,
        excludes=(CommandKind.PLACE_CALL, CommandKind.CONNECT_CALL),
        takes_time=RINGING_SECONDS,
        by_hand=False,
    ),
    CommandKind.CONNECT_CALL: Order(
        permission="calls.place_call",
        read=connect_read,
        refusal=_not_made,
        evidence=_is_connected,
        send=_connect_send,
        proofs=frozenset({"CallConnected"}),
        disproofs=frozenset({"ConnectFailed"}),
        needs_context=False,
        media_proof=StreamingState.STREAMING,
        at_call_end=WENT,
        excludes=(CommandKind.PLACE_CALL, CommandKind.CONNECT_CALL),
        by_hand=False,
    ),
}
