"""ACS Call Automation behind a small interface: the only module that imports its SDK.

Every method is one REST request with a time limit of seconds and no retry of its own:
how often and when an order is repeated is decided in `calls.control`, where it is
written down. `AcsRefused` is the only exception.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime
from functools import lru_cache
from typing import Any

from azure.communication.callautomation import (
    AudioFormat,
    CallAutomationClient,
    CallConnectionProperties,
    MediaStreamingAudioChannelType,
    MediaStreamingContentType,
    MediaStreamingOptions,
    StreamingTransportType,
)
from azure.core.credentials import AzureKeyCredential
from azure.core.exceptions import (
    AzureError,
    HttpResponseError,
    ServiceRequestError,
    ServiceResponseError,
)
from django.conf import settings

CONNECT_SECONDS = 3
READ_SECONDS = 7
RETRYABLE_CODES = frozenset({408, 429, 500, 502, 503, 504})
NOT_FOUND = 404


@dataclass(eq=False)
class AcsRefused(Exception):  # noqa: N818 a refusal may be nobody's error
    """An order that ACS did not take, and why, in words fit for a screen.

    `code` is the HTTP status, None when there was no answer. `subcode` is ACS's own
    number, when the answer held one. `retry_after` is in seconds, as ACS asked.
    `is_call_gone`: ACS itself (not a wrong endpoint's 404) says there is no such call.
    """

    message: str
    code: int | None = None
    subcode: int | None = None
    is_retryable: bool = False
    retry_after: float | None = None
    is_call_gone: bool = False

    def __str__(self) -> str:
        return self.message


@dataclass(frozen=True, slots=True)
class MediaOptions:
    """How a call is to be streamed. `sample_rate` is 16000 or 24000."""

    url: str
    is_mixed: bool
    sample_rate: int
    start_at_answer: bool
    is_bidirectional: bool
    dtmf_tones: bool


@dataclass(frozen=True, slots=True)
class OrderMark:
    """What marks an order in ACS's eyes.

    `context` comes back in callbacks as `operationContext`, and makes a repeated
    request the same request (`Repeatability-Request-ID`).
    """

    context: str
    first_sent: datetime


@dataclass(frozen=True, slots=True)
class CallProperties:
    """What ACS says of a call. `streaming` is active, inactive, disabled or empty."""

    connection_id: str
    server_call_id: str
    correlation_id: str
    state: str
    streaming: str


class Acs:
    """A connection to one ACS resource. Threads may share it."""

    def __init__(self, endpoint: str, access_key: str) -> None:
        # Not from_connection_string(), which would turn http:// into https://. A slash
        # at the end would be signed as part of the host, which then does not match.
        self._client = CallAutomationClient(
            endpoint.rstrip("/"),
            AzureKeyCredential(access_key),
            retry_total=0,
            connection_timeout=CONNECT_SECONDS,
            read_timeout=READ_SECONDS,
        )

    def answer(
        self,
        *,
        incoming_call_context: str,
        callback_url: str,
        media: MediaOptions,
        mark: OrderMark,
    ) -> CallProperties:
        """Answer an incoming call and say where its callbacks and its audio go."""
        with _refusals():
            answered = self._client.answer_call(
                incoming_call_context,
                callback_url,
                operation_context=mark.context,
                media_streaming=_streaming_options(media),
                headers=_repeatable(mark),
            )
            return _properties(answered)

    def properties(self, connection_id: str) -> CallProperties:
        """Return what ACS says of a call now."""
        with _refusals():
            connection = self._client.get_call_connection(connection_id)
            return _properties(connection.get_call_properties())

    def start_media_streaming(self, connection_id: str, *, mark: OrderMark) -> None:
        """Start streaming. Twice makes ACS drop and redial the socket: ask first."""
        with _refusals():
            self._client.get_call_connection(connection_id).start_media_streaming(
                operation_context=mark.context
            )

    def stop_media_streaming(self, connection_id: str, *, mark: OrderMark) -> None:
        """Stop streaming."""
        with _refusals():
            self._client.get_call_connection(connection_id).stop_media_streaming(
                operation_context=mark.context
            )

    def hang_up(
        self, connection_id: str, *, for_everyone: bool = True, mark: OrderMark
    ) -> None:
        """Leave the call, or end it for everyone."""
        headers = _repeatable(mark) if for_everyone else {}
        with _refusals():
            self._client.get_call_connection(connection_id).hang_up(
                is_for_everyone=for_everyone, headers=headers
            )


def acs() -> Acs:
    """Return this process's connection to the ACS resource of the settings."""
    if not settings.ACS_ENDPOINT or not settings.ACS_ACCESS_KEY:
        missing = "ACSSTREAM_ACS_ENDPOINT and ACSSTREAM_ACS_ACCESS_KEY must be set."
        raise AcsRefused(f"No ACS resource is configured: {missing}")
    return _connected(settings.ACS_ENDPOINT, settings.ACS_ACCESS_KEY)


@lru_cache(maxsize=4)
def _connected(endpoint: str, access_key: str) -> Acs:
    with _refusals():
        return Acs(endpoint, access_key)


def _streaming_options(media: MediaOptions) -> MediaStreamingOptions:
    channels = MediaStreamingAudioChannelType
    wide = media.sample_rate == 24_000
    return MediaStreamingOptions(
        transport_url=media.url,
        transport_type=StreamingTransportType.WEBSOCKET,
        content_type=MediaStreamingContentType.AUDIO,
        audio_channel_type=channels.MIXED if media.is_mixed else channels.UNMIXED,
        start_media_streaming=media.start_at_answer,
        enable_bidirectional=media.is_bidirectional,
        audio_format=(AudioFormat.PCM24_K_MONO if wide else AudioFormat.PCM16_K_MONO),
        enable_dtmf_tones=media.dtmf_tones,
    )


def _repeatable(mark: OrderMark) -> dict[str, str]:
    return {
        "Repeatability-Request-ID": mark.context,
        "Repeatability-First-Sent": format_datetime(mark.first_sent, usegmt=True),
    }


def _properties(found: CallConnectionProperties) -> CallProperties:
    subscription = found.media_streaming_subscription
    return CallProperties(
        connection_id=found.call_connection_id or "",
        server_call_id=found.server_call_id or "",
        correlation_id=found.correlation_id or "",
        state=_word(found.call_connection_state),
        streaming=_word(subscription.state) if subscription else "",
    )


def _word(value: Any) -> str:
    """Return the wire's word: the SDK gives an enum member or a plain string."""
    return str(getattr(value, "value", value) or "")


@contextmanager
def _refusals() -> Iterator[None]:
    """Turn what the SDK raises into `AcsRefused`."""
    try:
        yield
    except HttpResponseError as exc:
        raise _refused(exc) from exc
    except ServiceRequestError as exc:
        message = f"ACS cannot be reached: {_cause(exc)}."
        raise AcsRefused(message, is_retryable=True) from exc
    except ServiceResponseError as exc:
        message = f"ACS gave no usable answer: {_cause(exc)}."
        raise AcsRefused(message, is_retryable=True) from exc
    except AzureError as exc:
        raise AcsRefused(f"The request to ACS failed: {type(exc).__name__}.") from exc
    except ValueError as exc:
        # An access key that is not base64, an endpoint that is no URL.
        raise AcsRefused("The ACS endpoint or access key is not valid.") from exc


def _refused(exc: HttpResponseError) -> AcsRefused:
    code = exc.status_code
    if code is None:
        return AcsRefused(
            f"ACS gave no usable answer: {_cause(exc)}.", is_retryable=True
        )
    error_code = str(exc.error.code or "") if exc.error else ""
    said = exc.error.message if exc.error and exc.error.message else exc.reason or ""
    return AcsRefused(
        f"ACS refused ({' '.join(filter(None, [str(code), error_code]))}): {said}",
        code=code,
        subcode=int(error_code) if error_code.isdecimal() else None,
        is_retryable=code in RETRYABLE_CODES,
        retry_after=_retry_after(exc),
        is_call_gone=code == NOT_FOUND and bool(error_code),
    )


def _retry_after(exc: HttpResponseError) -> float | None:
    """Return the seconds of Retry-After. Its other form, a date, is not used by ACS."""
    headers = getattr(exc.response, "headers", {})
    text = headers.get("Retry-After", "")
    return float(text) if text.isdecimal() else None


def _cause(exc: BaseException) -> str:
    """Return the innermost reason, without the URL that outer messages repeat."""
    seen = {id(exc)}
    while (inner := _inner(exc)) is not None and id(inner) not in seen:
        seen.add(id(inner))
        exc = inner
    if isinstance(exc, OSError) and exc.strerror:
        return exc.strerror
    return "time-out" if "timeout" in type(exc).__name__.lower() else type(exc).__name__


def _inner(exc: BaseException) -> BaseException | None:
    """Return what an exception of azure-core, requests or urllib3 wraps."""
    wrapped = [getattr(exc, "inner_exception", None), getattr(exc, "reason", None)]
    candidates = [*wrapped, *exc.args, exc.__cause__]
    return next((each for each in candidates if isinstance(each, BaseException)), None)
