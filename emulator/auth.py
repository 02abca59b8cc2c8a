"""HMAC signatures of REST requests, verified as the service does."""

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from itertools import product
from urllib.parse import quote, unquote

SIGNED_HEADERS = "x-ms-date;host;x-ms-content-sha256"
_AUTHORIZATION = re.compile(
    r"HMAC-SHA256\s+SignedHeaders=(?P<headers>[^&]+)&Signature=(?P<signature>\S+)"
)


class AuthError(Exception):
    """A request is not signed with our key; the message says what is wrong with it."""


@dataclass(frozen=True, slots=True)
class SignedRequest:
    """The parts of a request that its signature covers. `target` is as on the wire."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes


def signature(key: bytes, text: str) -> str:
    """Return the base64 HMAC-SHA256 of a string to sign."""
    digest = hmac.new(key, text.encode(), hashlib.sha256).digest()
    return base64.b64encode(digest).decode()


def decode_key(access_key: str) -> bytes:
    """Return an access key's bytes. Raises ValueError if it is not base64."""
    try:
        return base64.b64decode(access_key, validate=True)
    except binascii.Error as exc:
        raise ValueError("the access key is not base64") from exc


def verify(request: SignedRequest, key: bytes, *, now: datetime, skew: float) -> None:
    """Check a request's date, content hash and signature. Raises `AuthError`.

    The host is accepted as sent in the Host header and with a slash behind it: the
    Python SDK signs the endpoint without its scheme, and an endpoint may end in one.
    The path is accepted as sent and fully percent-encoded: the SDK signs `4%3A%2B1…`,
    and its asynchronous transport then sends `4:%2B1…`.
    """
    headers = request.headers
    given = _AUTHORIZATION.fullmatch(headers.get("Authorization", "").strip())
    if given is None:
        raise AuthError("Authorization is not an HMAC-SHA256 signature")
    if given["headers"].lower() != SIGNED_HEADERS:
        raise AuthError(f"SignedHeaders is not {SIGNED_HEADERS}")
    date = headers.get("x-ms-date", "")
    _check_date(date, now=now, skew=skew)
    content = base64.b64encode(hashlib.sha256(request.body).digest()).decode()
    if headers.get("x-ms-content-sha256", "") != content:
        raise AuthError("x-ms-content-sha256 is not the hash of the body")
    host = headers.get("Host", "")
    targets = (request.target, _encoded(request.target))
    for signed_host, target in product((host, host + "/"), targets):
        values = f"{date};{signed_host};{content}"
        text = f"{request.method}\n{target}\n{values}"
        if hmac.compare_digest(signature(key, text), given["signature"]):
            return
    raise AuthError("the signature does not match")


def _encoded(target: str) -> str:
    path, question, query = target.partition("?")
    segments = [quote(unquote(each), safe="") for each in path.split("/")]
    return "/".join(segments) + question + query


def _check_date(date: str, *, now: datetime, skew: float) -> None:
    try:
        signed_at = parsedate_to_datetime(date)
    except ValueError as exc:
        raise AuthError("x-ms-date is not an RFC 1123 date") from exc
    if signed_at.tzinfo is None:
        signed_at = signed_at.replace(tzinfo=UTC)
    if abs(now - signed_at) > timedelta(seconds=skew):
        raise AuthError(f"x-ms-date is more than {skew:g} s off")
