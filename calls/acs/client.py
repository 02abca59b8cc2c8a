"""The requests themselves: one method, one request."""

from __future__ import annotations

from email.utils import format_datetime
from functools import lru_cache
from typing import Any

from azure.communication.callautomation import (
    CallAutomationClient,
    CallConnectionClient,
    PhoneNumberIdentifier,
)
from azure.core.credentials import AzureKeyCredential
from django.conf import settings

from calls.acs.options import (
    identifier_of,
    phone_of,
    properties_of,
    raw_id_of,
    streaming_options,
    transcription_options,
)
from calls.acs.refusals import AcsRefused, refusals
from calls.acs.shapes import (
    CallProperties,
    Locator,
    MediaOptions,
    OrderMark,
    ParticipantState,
    TranscriptionOptions,
)

CONNECT_SECONDS = 3
READ_SECONDS = 7


class Acs:
    """A connection to one ACS resource. Threads may share it.

    `cognitive_endpoint` is the Azure AI resource by which its calls are transcribed.
    """

    def __init__(
        self, endpoint: str, access_key: str, cognitive_endpoint: str = ""
    ) -> None:
        # Not from_connection_string(), which would turn http:// into https://. A slash
        # at the end would be signed as part of the host, which then does not match.
        self._client = CallAutomationClient(
            endpoint.rstrip("/"),
            AzureKeyCredential(access_key),
            retry_total=0,
            connection_timeout=CONNECT_SECONDS,
            read_timeout=READ_SECONDS,
        )
        # ACS takes it when a call comes about, and not later.
        self._cognitive_endpoint = cognitive_endpoint or None

    def _call(self, connection_id: str) -> CallConnectionClient:
        return self._client.get_call_connection(connection_id)

    # --- calls that come about ----------------------------------------------------

    def answer(
        self,
        *,
        incoming_call_context: str,
        callback_url: str,
        media: MediaOptions,
        transcription: TranscriptionOptions | None = None,
        mark: OrderMark,
    ) -> CallProperties:
        """Answer an incoming call and say where its callbacks and its audio go."""
        with refusals():
            answered = self._client.answer_call(
                incoming_call_context,
                callback_url,
                operation_context=mark.context,
                media_streaming=streaming_options(media),
                transcription=transcription_options(transcription),
                cognitive_services_endpoint=self._cognitive_endpoint,
                headers=_repeatable(mark),
            )
            return properties_of(answered)

    def reject(
        self, *, incoming_call_context: str, reason: str, mark: OrderMark
    ) -> None:
        """Turn an incoming call away: `none`, `busy` or `forbidden`."""
        with refusals():
            self._client.reject_call(
                incoming_call_context,
                call_reject_reason=reason,
                headers=_repeatable(mark),
            )

    def redirect(
        self, *, incoming_call_context: str, target: str, mark: OrderMark
    ) -> None:
        """Send an incoming call on to another raw id."""
        with refusals():
            self._client.redirect_call(
                incoming_call_context, identifier_of(target), headers=_repeatable(mark)
            )

    def place(
        self,
        *,
        target: str,
        caller_id: str,
        callback_url: str,
        media: MediaOptions,
        transcription: TranscriptionOptions | None = None,
        mark: OrderMark,
    ) -> CallProperties:
        """Ring `target` (a raw id); `caller_id` is the number a phone is shown."""
        with refusals():
            placed = self._client.create_call(
                identifier_of(target),
                callback_url,
                source_caller_id_number=_caller_id(caller_id),
                operation_context=mark.context,
                media_streaming=streaming_options(media),
                transcription=transcription_options(transcription),
                cognitive_services_endpoint=self._cognitive_endpoint,
                headers=_repeatable(mark),
            )
            return properties_of(placed)

    def connect(
        self,
        *,
        locator: Locator,
        callback_url: str,
        media: MediaOptions,
        transcription: TranscriptionOptions | None = None,
        mark: OrderMark,
    ) -> CallProperties:
        """Join a call that runs already."""
        where: Any = {locator.kind: locator.id}
        with refusals():
            joined = self._client.connect_call(
                callback_url,
                **where,
                operation_context=mark.context,
                media_streaming=streaming_options(media),
                transcription=transcription_options(transcription),
                cognitive_services_endpoint=self._cognitive_endpoint,
                headers=_repeatable(mark),
            )
            return properties_of(joined)

    # --- what a call is doing -----------------------------------------------------

    def properties(self, connection_id: str) -> CallProperties:
        """Return what ACS says of a call now."""
        with refusals():
            return properties_of(self._call(connection_id).get_call_properties())

    def participants(self, connection_id: str) -> list[ParticipantState]:
        """Return who is in a call now."""
        with refusals():
            return [
                ParticipantState(
                    raw_id=raw_id_of(each.identifier),
                    is_muted=each.is_muted is True,
                    is_on_hold=each.is_on_hold is True,
                )
                for each in self._call(connection_id).list_participants()
            ]

    # --- media --------------------------------------------------------------------

    def start_media_streaming(self, connection_id: str, *, mark: OrderMark) -> None:
        """Start streaming. Twice makes ACS drop and redial the socket: ask first."""
        with refusals():
            self._call(connection_id).start_media_streaming(
                operation_context=mark.context
            )

    def stop_media_streaming(self, connection_id: str, *, mark: OrderMark) -> None:
        """Stop streaming."""
        with refusals():
            self._call(connection_id).stop_media_streaming(
                operation_context=mark.context
            )

    def start_transcription(
        self, connection_id: str, *, locale: str, mark: OrderMark
    ) -> None:
        """Start transcription in a language; empty: the one named at answer."""
        with refusals():
            self._call(connection_id).start_transcription(
                locale=locale or None, operation_context=mark.context
            )

    def stop_transcription(self, connection_id: str, *, mark: OrderMark) -> None:
        """Stop transcription."""
        with refusals():
            self._call(connection_id).stop_transcription(operation_context=mark.context)

    def update_transcription(
        self, connection_id: str, *, locale: str, mark: OrderMark
    ) -> None:
        """Go on in another language."""
        with refusals():
            self._call(connection_id).update_transcription(
                locale=locale, operation_context=mark.context
            )

    # --- keys ---------------------------------------------------------------------

    def start_tones(self, connection_id: str, raw_id: str, *, mark: OrderMark) -> None:
        """Have ACS tell of a participant's keys by callbacks.

        What it tells of a key names nobody: only the mark's context comes back.
        """
        with refusals():
            self._call(connection_id).start_continuous_dtmf_recognition(
                identifier_of(raw_id), operation_context=mark.context
            )

    def stop_tones(self, connection_id: str, raw_id: str, *, mark: OrderMark) -> None:
        """Have it told no more."""
        with refusals():
            self._call(connection_id).stop_continuous_dtmf_recognition(
                identifier_of(raw_id), operation_context=mark.context
            )

    # --- participants -------------------------------------------------------------

    def mute(self, connection_id: str, raw_id: str, *, mark: OrderMark) -> None:
        """Mute a participant. ACS has no unmute: only they themselves can."""
        with refusals():
            self._call(connection_id).mute_participant(
                identifier_of(raw_id),
                operation_context=mark.context,
                headers=_repeatable(mark),
            )

    def hold(self, connection_id: str, raw_id: str, *, mark: OrderMark) -> None:
        """Put a participant on hold."""
        with refusals():
            self._call(connection_id).hold(
                identifier_of(raw_id), operation_context=mark.context
            )

    def unhold(self, connection_id: str, raw_id: str, *, mark: OrderMark) -> None:
        """Take a participant off hold."""
        with refusals():
            self._call(connection_id).unhold(
                identifier_of(raw_id), operation_context=mark.context
            )

    def add_participant(
        self,
        connection_id: str,
        raw_id: str,
        *,
        caller_id: str,
        seconds: int,
        mark: OrderMark,
    ) -> None:
        """Ring somebody for `seconds` and add them to the call if they answer."""
        with refusals():
            self._call(connection_id).add_participant(
                identifier_of(raw_id),
                invitation_timeout=seconds,
                source_caller_id_number=_caller_id(caller_id),
                operation_context=mark.context,
                headers=_repeatable(mark),
            )

    def remove_participant(
        self, connection_id: str, raw_id: str, *, mark: OrderMark
    ) -> None:
        """Take a participant out of the call."""
        with refusals():
            self._call(connection_id).remove_participant(
                identifier_of(raw_id),
                operation_context=mark.context,
                headers=_repeatable(mark),
            )

    def transfer(
        self, connection_id: str, target: str, *, caller_id: str, mark: OrderMark
    ) -> None:
        """Hand the call over to `target` and leave it."""
        with refusals():
            self._call(connection_id).transfer_call_to_participant(
                identifier_of(target),
                source_caller_id_number=_caller_id(caller_id),
                operation_context=mark.context,
                headers=_repeatable(mark),
            )

    # --- the end ------------------------------------------------------------------

    def hang_up(
        self, connection_id: str, *, for_everyone: bool = True, mark: OrderMark
    ) -> None:
        """Leave the call, or end it for everyone."""
        headers = _repeatable(mark) if for_everyone else {}
        with refusals():
            self._call(connection_id).hang_up(
                is_for_everyone=for_everyone, headers=headers
            )


def acs() -> Acs:
    """Return this process's connection to the ACS resource of the settings."""
    if not settings.ACS_ENDPOINT or not settings.ACS_ACCESS_KEY:
        missing = "ACSSTREAM_ACS_ENDPOINT and ACSSTREAM_ACS_ACCESS_KEY must be set."
        raise AcsRefused(f"No ACS resource is configured: {missing}")
    return _connected(
        settings.ACS_ENDPOINT, settings.ACS_ACCESS_KEY, settings.COGNITIVE_ENDPOINT
    )


@lru_cache(maxsize=4)
def _connected(endpoint: str, access_key: str, cognitive_endpoint: str) -> Acs:
    with refusals():
        return Acs(endpoint, access_key, cognitive_endpoint)


def _repeatable(mark: OrderMark) -> dict[str, str]:
    return {
        "Repeatability-Request-ID": mark.context,
        "Repeatability-First-Sent": format_datetime(mark.first_sent, usegmt=True),
    }


def _caller_id(number: str) -> PhoneNumberIdentifier | None:
    return phone_of(number) if number else None
