"""Tokens of ACS and of Entra: RS256, checked against the keys of a discovery document.

ACS's token proves "ACS, for this resource". It does not name a call: the secret in the
URL does. What a token says of itself decides nothing: neither `alg`, which must be
RS256, nor where its key is to be found.
"""

import asyncio
from dataclasses import dataclass
from http.client import HTTPException
from typing import Any

import jwt
from django.conf import settings

from calls.doors.signing_keys import (
    KeysMissing,
    SigningKeys,
    fetch_keys,
    in_words,
    signing_keys,
)

ISSUER = "https://acscallautomation.communication.azure.com"
LEEWAY_SECONDS = 300
MAX_TOKEN = 16_384


class TokenRefused(Exception):  # noqa: N818 a refusal is the peer's fault, not ours
    """A token that proves nothing. The message says why and never quotes it.

    `kind` is the same in a word, for counters.
    """

    def __init__(self, words: str, kind: str = "malformed") -> None:
        """Say why."""
        super().__init__(words)
        self.kind = kind


@dataclass(frozen=True, slots=True)
class Expected:
    """Whose tokens are taken: by discovery document, issuer, audience, application.

    `applications` are those of Entra that may ask (`appid` or `azp`); empty: any.
    """

    url: str
    issuer: str
    audiences: tuple[str, ...]
    applications: tuple[str, ...] = ()


def of_acs() -> Expected:
    """Return what a token of ACS for our resource must show. Raises `TokenRefused`."""
    audience = settings.ACS_RESOURCE_ID
    if not audience:
        raise TokenRefused(
            "ACSSTREAM_ACS_RESOURCE_ID is not set, so none can be true", "settings"
        )
    return Expected(settings.ACS_OPENID_URL, ISSUER, (audience, audience.lower()))


def of_event_grid() -> Expected | None:
    """Return what Event Grid's Entra token must show; None: it is to show none."""
    if not settings.EVENTGRID_AUDIENCE:
        return None
    return Expected(
        settings.EVENTGRID_OPENID_URL,
        settings.EVENTGRID_ISSUER,
        (settings.EVENTGRID_AUDIENCE,),
        (settings.EVENTGRID_APP_ID.lower(),) if settings.EVENTGRID_APP_ID else (),
    )


def keys_try(url: str) -> list[str]:
    """Fetch the keys of a discovery document now; return their ids.

    Raises `TokenRefused` with the reason. What `verify` knows is left as it is.
    """
    try:
        return sorted(fetch_keys(url))
    except (OSError, HTTPException, ValueError) as exc:
        raise TokenRefused(in_words(exc), "keys") from exc


def verify(token: str, expected: Expected | None = None) -> dict[str, Any]:
    """Return the claims of a token that ACS (or who is `expected`) made for us.

    With the key at hand it costs one signature check; otherwise it may wait for two
    HTTP requests. Raises `TokenRefused`, also when the keys cannot be fetched: without
    them nothing is proved.
    """
    wanted = expected or of_acs()
    key_id = _key_id(token)
    try:
        key = signing_keys(wanted.url).key(key_id)
    except KeysMissing as exc:
        raise _unkeyed(exc) from exc
    return _claims(token, key, wanted)


_fetches: dict[SigningKeys, "asyncio.Task[None]"] = {}


async def verify_async(token: str) -> dict[str, Any]:
    """Do as `verify`; those who wait for keys hold no thread, however many they are."""
    wanted = of_acs()
    key_id = _key_id(token)
    keys = signing_keys(wanted.url)
    try:
        if keys.known(key_id) is None and (keys in _fetches or keys.may_fetch):
            await _fetched(keys)
        key = keys.known(key_id)
        if key is None:
            raise keys.missing()
    except KeysMissing as exc:
        raise _unkeyed(exc) from exc
    return await asyncio.to_thread(_claims, token, key, wanted)


async def _fetched(keys: SigningKeys) -> None:
    """Wait for the one fetch that is under way, or begin it."""
    task = _fetches.get(keys)
    if task is None or task.done() or task.get_loop() is not asyncio.get_running_loop():
        task = asyncio.create_task(asyncio.to_thread(keys.refresh))
        _fetches[keys] = task
        task.add_done_callback(lambda _: _fetches.pop(keys, None))
    # Of many who wait, one who leaves must not end it for the others.
    await asyncio.shield(task)


def _unkeyed(exc: KeysMissing) -> TokenRefused:
    return TokenRefused(str(exc), "keys" if exc.is_ours else "unknown_key")


def _claims(token: str, key: Any, wanted: Expected) -> dict[str, Any]:
    try:
        claims: dict[str, Any] = jwt.decode(
            token,
            key,
            algorithms=["RS256"],
            issuer=wanted.issuer,
            audience=list(wanted.audiences),
            leeway=LEEWAY_SECONDS,
            options={"require": ["exp", "iss", "aud"]},
        )
    except (jwt.PyJWTError, OverflowError) as exc:
        raise _fault(exc) from exc
    who = claims.get("appid") or claims.get("azp")
    if wanted.applications and str(who).lower() not in wanted.applications:
        raise TokenRefused("it was made for another application", "application")
    return claims


def bearer(authorization: str) -> str:
    """Return the token of an `Authorization: Bearer` header. Raises `TokenRefused`."""
    scheme, _, token = authorization.partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise TokenRefused("there is none", "missing")
    return token.strip()


def _key_id(token: str) -> str:
    if len(token) > MAX_TOKEN:
        raise TokenRefused("it is too long")
    try:
        header = jwt.get_unverified_header(token)
    except jwt.InvalidTokenError as exc:
        raise TokenRefused("it is not a JSON Web Token") from exc
    # Before any key is looked up: "none" and HMAC under a public key are old tricks.
    if header.get("alg") != "RS256":
        raise TokenRefused("it is not signed with RS256", "algorithm")
    key_id = header.get("kid")
    if not isinstance(key_id, str) or not key_id:
        raise TokenRefused("it names no key", "unknown_key")
    return key_id


FAULTS: list[tuple[type[jwt.InvalidTokenError], str, str]] = [
    (jwt.ExpiredSignatureError, "it has expired", "expired"),
    (jwt.ImmatureSignatureError, "it is not valid yet", "not_yet"),
    (jwt.InvalidAudienceError, "it was made for another ACS resource", "audience"),
    (jwt.InvalidIssuerError, "it was not issued by ACS", "issuer"),
    (jwt.MissingRequiredClaimError, "it lacks a required claim", "claim"),
    (jwt.InvalidSignatureError, "its signature is false", "signature"),
]


# What a `TokenRefused` may have for its kind.
REFUSALS = (
    "application",
    "algorithm",
    "keys",
    "malformed",
    "missing",
    "settings",
    "unknown_key",
    *(word for _, _, word in FAULTS),
)


def _fault(exc: Exception) -> TokenRefused:
    for kind, words, word in FAULTS:
        if isinstance(exc, kind):
            return TokenRefused(words, word)
    return TokenRefused("it cannot be read")
