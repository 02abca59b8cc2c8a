"""Orders about a call's transcription: start, stop, another language."""

from django.conf import settings

from calls.acs import Acs, CallProperties
from calls.locales import is_locale
from calls.models import (
    Call,
    CommandKind,
    CommandState,
    StreamCommand,
    TranscriptionStart,
    TranscriptionState,
)
from calls.models.profiles import NO_COGNITIVE_ENDPOINT
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

KINDS = (
    CommandKind.START_TRANSCRIPTION,
    CommandKind.STOP_TRANSCRIPTION,
    CommandKind.UPDATE_TRANSCRIPTION,
)
# Why it is stopped with the recording; only such a stop ends with the pause.
PAUSED = "Recording was paused."


def locale_read(text: str) -> str:
    """Return a locale such as `en-US`, or raise `CommandRefused`."""
    if not is_locale(text.strip()):
        raise CommandRefused("The language must be a locale such as en-US or de-DE.")
    return text.strip()


def _start_read(_: Call, given: Given) -> Arguments:
    locale = str(given.get("locale") or "")
    return {"locale": locale_read(locale)} if locale else {}


def _update_read(_: Call, given: Given) -> Arguments:
    return {"locale": locale_read(str(given.get("locale") or ""))}


def _no_url(call: Call) -> str:
    """Say that ACS was given no transcription URL; it cannot be given one later."""
    profile = call.profile
    if profile is None or profile.transcription != TranscriptionStart.OFF:
        return ""
    return f"The profile “{profile}” does not allow transcription."


def _no_resource() -> str:
    """Say that ACS has nothing to transcribe with."""
    return "" if settings.COGNITIVE_ENDPOINT else NO_COGNITIVE_ENDPOINT


def _start_refusal(call: Call, _: Arguments) -> str:
    if call.is_live and call.transcription_state == TranscriptionState.RUNNING:
        return "The call is being transcribed already."
    return not_connected(call) or _no_url(call) or _no_resource()


def _runs(call: Call, _: Arguments) -> str:
    off = (TranscriptionState.OFF, TranscriptionState.STOPPED)
    is_off = call.transcription_state in off
    if call.is_live and is_off and not call.desired_transcription:
        return "The call is not being transcribed."
    return not_connected(call)


def _found(acs: Acs, command: StreamCommand) -> CallProperties:
    return acs.properties(connection_id_of(command.call))


def _is_transcribed(acs: Acs, command: StreamCommand) -> str:
    if _found(acs, command).transcription != "active":
        return ""
    return "ACS says transcription is active."


def _is_not_transcribed(acs: Acs, command: StreamCommand) -> str:
    if _found(acs, command).transcription == "active":
        return ""
    return "ACS says transcription is not active."


def _speaks(acs: Acs, command: StreamCommand) -> str:
    locale = command.arguments["locale"]
    found = _found(acs, command)
    is_so = found.transcription == "active" and found.locale == locale
    return f"ACS says it transcribes {locale}." if is_so else ""


def _start_send(acs: Acs, command: StreamCommand) -> None:
    acs.start_transcription(
        connection_id_of(command.call),
        locale=command.arguments.get("locale", ""),
        mark=mark_of(command),
    )


def _stop_send(acs: Acs, command: StreamCommand) -> None:
    acs.stop_transcription(connection_id_of(command.call), mark=mark_of(command))


def _update_send(acs: Acs, command: StreamCommand) -> None:
    acs.update_transcription(
        connection_id_of(command.call),
        locale=command.arguments["locale"],
        mark=mark_of(command),
    )


ORDERS: dict[str, Order] = {
    CommandKind.START_TRANSCRIPTION: Order(
        permission="calls.control_transcription",
        read=_start_read,
        refusal=_start_refusal,
        evidence=_is_transcribed,
        send=_start_send,
        is_repeatable=False,
        proofs=frozenset({"TranscriptionStarted"}),
        disproofs=frozenset({"TranscriptionFailed"}),
        excludes=KINDS,
        shown=Shown(
            column="transcription_state",
            wanted="desired_transcription",
            reason="transcription_reason",
            is_wanted=True,
            asked=TranscriptionState.REQUESTED,
            confirmed=TranscriptionState.RUNNING,
            failed=TranscriptionState.FAILED,
        ),
    ),
    CommandKind.STOP_TRANSCRIPTION: Order(
        permission="calls.control_transcription",
        refusal=_runs,
        evidence=_is_not_transcribed,
        send=_stop_send,
        is_repeatable=False,
        proofs=frozenset({"TranscriptionStopped"}),
        disproofs=frozenset({"TranscriptionFailed"}),
        at_call_end=(CommandState.CONFIRMED, "It stopped as the call ended."),
        excludes=KINDS,
        shown=Shown(
            column="transcription_state",
            wanted="desired_transcription",
            reason="transcription_reason",
            is_wanted=False,
            asked=TranscriptionState.STOPPING,
            confirmed=TranscriptionState.STOPPED,
            failed=TranscriptionState.RUNNING,
        ),
    ),
    CommandKind.UPDATE_TRANSCRIPTION: Order(
        permission="calls.control_transcription",
        read=_update_read,
        refusal=_runs,
        evidence=_speaks,
        send=_update_send,
        is_repeatable=False,
        proofs=frozenset({"TranscriptionUpdated"}),
        disproofs=frozenset({"TranscriptionFailed"}),
        excludes=KINDS,
    ),
}
