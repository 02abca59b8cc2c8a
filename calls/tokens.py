"""ACS's tokens: RS256, checked against the keys of its discovery document.

A token proves "ACS, for this resource". It does not name a call: the secret in the
URL does. With the key at hand `verify` costs one signature check and touches no lock;
otherwise it may wait for two HTTP requests, so async code calls it from a thread.
"""

import json
import logging
import threading
import time
from collections.abc import Callable, Mapping
from functools import lru_cache
from http.client import HTTPException
from typing import Any
from urllib.request import Request, urlopen

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from django.conf import settings

ISSUER = "https://acscallautomation.communication.azure.com"
LEEWAY_SECONDS = 300
FETCH_SECONDS = 3.0
FRESH_SECONDS = 6 * 3600.0
# Anybody can send tokens that name unknown keys; they must not become requests.
SECONDS_AFTER_FETCH = 30.0
SECONDS_AFTER_FAILURE = 5.0
MAX_TOKEN = 16_384
MAX_DOCUMENT = 1_048_576

log = logging.getLogger(__name__)


class TokenRefused(Exception):  # noqa: N818 a refusal is the peer's fault, not ours
    """A token that proves nothing. The message says why and never quotes it."""


class SigningKeys:
    """The public keys behind one discovery document, fetched when first needed.

    Keys are kept for hours. A key id that is not among them makes them be fetched
    again, at most every half minute (after a failure, every five seconds). If that
    fails, the known keys stay in use: an outage of the key server must not cost calls.
    """

    def __init__(
        self, url: str, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._url = url
        self._clock = clock
        self._lock = threading.Lock()
        self._keys: Mapping[str, RSAPublicKey] = {}
        self._fetched_at: float | None = None
        self._next_fetch = float("-inf")
        self._problem = ""

    def key(self, key_id: str) -> RSAPublicKey:
        """Return the key with that id. Raises `TokenRefused`."""
        found = self._keys.get(key_id)
        if found is None or not self._is_fresh():
            self._refresh(key_id)
            found = self._keys.get(key_id)
        if found is None:
            raise TokenRefused(self._problem or "it is signed with an unknown key")
        return found

    def _is_fresh(self) -> bool:
        fetched = self._fetched_at
        return fetched is not None and self._clock() - fetched < FRESH_SECONDS

    def _refresh(self, key_id: str) -> None:
        with self._lock:
            # Another thread may have fetched them while this one waited.
            if key_id in self._keys and self._is_fresh():
                return
            now = self._clock()
            if now < self._next_fetch:
                return
            try:
                self._keys = _fetch_keys(self._url)
            except (OSError, HTTPException, ValueError) as exc:
                self._problem = f"ACS's signing keys cannot be fetched: {_words(exc)}"
                self._next_fetch = now + SECONDS_AFTER_FAILURE
                log.warning("%s", self._problem)
            else:
                self._problem = ""
                self._fetched_at = now
                self._next_fetch = now + SECONDS_AFTER_FETCH


@lru_cache(maxsize=8)
def signing_keys(url: str) -> SigningKeys:
    """Return this process's one set of keys for a discovery document."""
    return SigningKeys(url)


def keys_try(url: str) -> list[str]:
    """Fetch the keys of a discovery document now; return their ids.

    Raises `TokenRefused` with the reason. What `verify` knows is left as it is.
    """
    try:
        return sorted(_fetch_keys(url))
    except (OSError, HTTPException, ValueError) as exc:
        raise TokenRefused(_words(exc)) from exc


def verify(token: str) -> dict[str, Any]:
    """Return the claims of a token that ACS made for our resource.

    Raises `TokenRefused`, also when the keys cannot be fetched: without them nothing
    is proved.
    """
    audience = settings.ACS_RESOURCE_ID
    if not audience:
        raise TokenRefused("ACSSTREAM_ACS_RESOURCE_ID is not set, so none can be true")
    key = signing_keys(settings.ACS_OPENID_URL).key(_key_id(token))
    try:
        claims: dict[str, Any] = jwt.decode(
            token,
            key,
            algorithms=["RS256"],
            issuer=ISSUER,
            audience=[audience, audience.lower()],
            leeway=LEEWAY_SECONDS,
            options={"require": ["exp", "iss", "aud"]},
        )
    except jwt.PyJWTError as exc:
        raise TokenRefused(_fault(exc)) from exc
    return claims


def bearer(authorization: str) -> str:
    """Return the token of an `Authorization: Bearer` header. Raises `TokenRefused`."""
    scheme, _, token = authorization.partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise TokenRefused("there is none")
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
        raise TokenRefused("it is not signed with RS256")
    key_id = header.get("kid")
    if not isinstance(key_id, str) or not key_id:
        raise TokenRefused("it names no key")
    return key_id


FAULTS: list[tuple[type[jwt.InvalidTokenError], str]] = [
    (jwt.ExpiredSignatureError, "it has expired"),
    (jwt.ImmatureSignatureError, "it is not valid yet"),
    (jwt.InvalidAudienceError, "it was made for another ACS resource"),
    (jwt.InvalidIssuerError, "it was not issued by ACS"),
    (jwt.MissingRequiredClaimError, "it lacks a required claim"),
    (jwt.InvalidSignatureError, "its signature is false"),
]


def _fault(exc: jwt.PyJWTError) -> str:
    words = [words for kind, words in FAULTS if isinstance(exc, kind)]
    return words[0] if words else "it cannot be read"


def _fetch_keys(url: str) -> dict[str, RSAPublicKey]:
    """Fetch discovery document and keys.

    Raises OSError, HTTPException or ValueError.
    """
    location = _fetch_json(url).get("jwks_uri")
    if not isinstance(location, str):
        raise ValueError("the discovery document names no jwks_uri")
    listed = _fetch_json(location).get("keys")
    if not isinstance(listed, list):
        raise ValueError("the key document holds no keys")
    keys = dict(filter(None, map(_public_key, listed)))
    if not keys:
        raise ValueError("the key document holds no RSA key")
    return keys


def _public_key(entry: Any) -> tuple[str, RSAPublicKey] | None:
    """Return id and key of a JWKS entry, None for one that is not an RSA key."""
    if not isinstance(entry, dict) or not isinstance(entry.get("kid"), str):
        return None
    try:
        key = jwt.algorithms.RSAAlgorithm.from_jwk(entry)
    except (jwt.InvalidKeyError, ValueError):
        return None
    # A document that held a private key would be somebody's accident, not a key of use.
    return (entry["kid"], key) if isinstance(key, RSAPublicKey) else None


def _fetch_json(url: str) -> dict[str, Any]:
    if not url.startswith(("https://", "http://")):
        raise ValueError("its address is not an http(s) URL")
    request = Request(url, headers={"Accept": "application/json"})  # noqa: S310 checked
    with urlopen(request, timeout=FETCH_SECONDS) as response:  # noqa: S310 checked
        document = json.loads(response.read(MAX_DOCUMENT))
    if not isinstance(document, dict):
        raise ValueError("the document is not a JSON object")
    return document


def _words(exc: OSError | HTTPException | ValueError) -> str:
    reason = getattr(exc, "reason", None)
    if isinstance(exc, json.JSONDecodeError | UnicodeDecodeError):
        return "the document is not JSON"
    if isinstance(reason, OSError):
        return reason.strerror or str(reason)
    return str(reason or exc)
