"""What the SDK raises, as one exception with words fit for a screen."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from azure.core.exceptions import (
    AzureError,
    HttpResponseError,
    ServiceRequestError,
    ServiceResponseError,
)

RETRYABLE_CODES = frozenset({408, 429, 500, 502, 503, 504})
NOT_FOUND = 404
REQUEST_TIMEOUT = 408
SERVER_FAULT = 500


@dataclass(eq=False)
class AcsRefused(Exception):  # noqa: N818 a refusal may be nobody's error
    """An order that ACS did not take, and why, in words fit for a screen.

    `code` is the HTTP status, None when there was no answer. `subcode` is ACS's own
    number, when the answer held one. `retry_after` is in seconds, as ACS asked.
    `is_call_gone`: ACS itself (not a wrong endpoint's 404) says there is no such call.
    `may_have_arrived`: no answer tells whether the order was carried out.
    """

    message: str
    code: int | None = None
    subcode: int | None = None
    is_retryable: bool = False
    retry_after: float | None = None
    is_call_gone: bool = False
    may_have_arrived: bool = False

    def __str__(self) -> str:
        return self.message


@contextmanager
def refusals() -> Iterator[None]:
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
        raise AcsRefused(message, is_retryable=True, may_have_arrived=True) from exc
    except AzureError as exc:
        raise AcsRefused(f"The request to ACS failed: {type(exc).__name__}.") from exc
    except ValueError as exc:
        # An access key that is not base64, an endpoint that is no URL.
        raise AcsRefused("The ACS endpoint or access key is not valid.") from exc


def _refused(exc: HttpResponseError) -> AcsRefused:
    code = exc.status_code
    if code is None:
        message = f"ACS gave no usable answer: {_cause(exc)}."
        return AcsRefused(message, is_retryable=True, may_have_arrived=True)
    error_code = str(exc.error.code or "") if exc.error else ""
    said = exc.error.message if exc.error and exc.error.message else exc.reason or ""
    return AcsRefused(
        f"ACS refused ({' '.join(filter(None, [str(code), error_code]))}): {said}",
        code=code,
        subcode=int(error_code) if error_code.isdecimal() else None,
        is_retryable=code in RETRYABLE_CODES,
        retry_after=_retry_after(exc),
        is_call_gone=code == NOT_FOUND and bool(error_code),
        may_have_arrived=code >= SERVER_FAULT or code == REQUEST_TIMEOUT,
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
