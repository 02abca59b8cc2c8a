"""The public keys of somebody who signs tokens, behind one discovery document.

They are fetched when first needed and kept. Whoever asks for a key that is known never
waits: a key server that is slow, mute or gone costs nobody a call.
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

FETCH_SECONDS = 3.0
FRESH_SECONDS = 6 * 3600.0
# Anybody can send tokens that name unknown keys; they must not become requests.
SECONDS_AFTER_FETCH = 30.0
SECONDS_AFTER_FAILURE = 5.0
# Threads that wait for a fetch at once; it is over in seconds.
MOST_WAITING = 32
MAX_DOCUMENT = 1_048_576
MIN_BITS = 2048

log = logging.getLogger(__name__)


class KeysMissing(Exception):  # noqa: N818 the message says why there is no key
    """A key is not to be had: it is unknown, or the keys cannot be fetched."""

    def __init__(self, words: str, *, is_ours: bool) -> None:
        """Say why. `is_ours`: nobody's token could be verified now."""
        super().__init__(words)
        self.is_ours = is_ours


class SigningKeys:
    """The keys of one discovery document.

    Keys are fetched again after hours, aside, while the known ones stay in use. A key
    id that is not among them has them fetched at once, at most every half minute (after
    a failure, every five seconds): so a new key is met within that time. When fetching
    fails, known keys go on for `outage` seconds after they were fetched, no longer: who
    withdraws a key must be heard some day.
    """

    def __init__(
        self,
        url: str,
        *,
        outage: float = 24 * 3600.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._url = url
        self._outage = outage
        self._clock = clock
        self._lock = threading.Lock()
        self._waiting = threading.BoundedSemaphore(MOST_WAITING)
        self._aside: threading.Thread | None = None
        self._keys: Mapping[str, RSAPublicKey] = {}
        self._fetched_at = float("-inf")
        self._next_fetch = float("-inf")
        self._problem = ""

    def known(self, key_id: str) -> RSAPublicKey | None:
        """Return the key with that id if it is at hand. Never waits."""
        age = self._clock() - self._fetched_at
        if age >= FRESH_SECONDS and self._keys:
            self._refresh_aside()
        return self._keys.get(key_id) if age < self._outage else None

    def key(self, key_id: str) -> RSAPublicKey:
        """Return the key with that id; wait for a fetch if it may be a new one.

        Raises `KeysMissing`.
        """
        found = self.known(key_id)
        if found is None and self.may_fetch:
            self.refresh(key_id)
            found = self.known(key_id)
        if found is None:
            raise self.missing()
        return found

    @property
    def may_fetch(self) -> bool:
        """Say whether it is time to ask the key server (again)."""
        return self._clock() >= self._next_fetch

    def missing(self) -> KeysMissing:
        """Return why a key is not to be had."""
        words = self._problem or "it is signed with an unknown key"
        return KeysMissing(words, is_ours=bool(self._problem))

    def refresh(self, key_id: str | None = None) -> None:
        """Fetch the keys, unless another thread just did. Waits for two requests.

        Raises `KeysMissing` if too many threads wait already.
        """
        if not self._waiting.acquire(blocking=False):
            raise KeysMissing("too many wait for the signing keys", is_ours=True)
        try:
            self._refresh(key_id)
        finally:
            self._waiting.release()

    def _refresh(self, key_id: str | None = None) -> None:
        with self._lock:
            is_known = key_id in self._keys and not self._is_old()
            if self.may_fetch and not is_known:
                self._fetch()

    def _is_old(self) -> bool:
        return self._clock() - self._fetched_at >= FRESH_SECONDS

    def _fetch(self) -> None:
        now = self._clock()
        try:
            self._keys = fetch_keys(self._url)
        except (OSError, HTTPException, ValueError) as exc:
            self._problem = f"the signing keys cannot be fetched: {in_words(exc)}"
            self._next_fetch = now + SECONDS_AFTER_FAILURE
            log.warning("%s", self._problem)
        else:
            self._problem = ""
            self._fetched_at = now
            self._next_fetch = now + SECONDS_AFTER_FETCH

    def _refresh_aside(self) -> None:
        running = self._aside is not None and self._aside.is_alive()
        if self.may_fetch and not running:
            self._aside = threading.Thread(
                target=self._refresh, name="signing-keys", daemon=True
            )
            self._aside.start()


@lru_cache(maxsize=8)
def signing_keys(url: str) -> SigningKeys:
    """Return this process's one set of keys for a discovery document."""
    return SigningKeys(url, outage=settings.KEYS_OUTAGE_HOURS * 3600)


def fetch_keys(url: str) -> dict[str, RSAPublicKey]:
    """Fetch discovery document and keys.

    Raises OSError, HTTPException or ValueError.
    """
    location = _fetch_json(url).get("jwks_uri")
    if not isinstance(location, str):
        raise ValueError("the discovery document names no jwks_uri")
    if url.startswith("https://") and not location.startswith("https://"):
        raise ValueError("the discovery document names keys without TLS")
    listed = _fetch_json(location).get("keys")
    if not isinstance(listed, list):
        raise ValueError("the key document holds no keys")
    keys = dict(filter(None, map(_public_key, listed)))
    if not keys:
        raise ValueError("the key document holds no RSA key")
    return keys


def _public_key(entry: Any) -> tuple[str, RSAPublicKey] | None:
    """Return id and key of a JWKS entry, None for one that does not sign RS256."""
    if not isinstance(entry, dict) or not isinstance(entry.get("kid"), str):
        return None
    # Both members are optional; where they are, they say what the key is for.
    if entry.get("use", "sig") != "sig" or entry.get("alg", "RS256") != "RS256":
        return None
    try:
        key = jwt.algorithms.RSAAlgorithm.from_jwk(entry)
    except (jwt.InvalidKeyError, ValueError, TypeError, AttributeError):
        return None
    # A document that held a private key would be somebody's accident, not a key of use.
    if not isinstance(key, RSAPublicKey) or key.key_size < MIN_BITS:
        return None
    return entry["kid"], key


def _fetch_json(url: str) -> dict[str, Any]:
    if not url.startswith(("https://", "http://")):
        raise ValueError("its address is not an http(s) URL")
    request = Request(url, headers={"Accept": "application/json"})  # noqa: S310 checked
    with urlopen(request, timeout=FETCH_SECONDS) as response:  # noqa: S310 checked
        document = json.loads(response.read(MAX_DOCUMENT))
    if not isinstance(document, dict):
        raise ValueError("the document is not a JSON object")
    return document


def in_words(exc: OSError | HTTPException | ValueError) -> str:
    """Return why a fetch failed; nothing of what was fetched is in it."""
    reason = getattr(exc, "reason", None)
    if isinstance(exc, json.JSONDecodeError | UnicodeDecodeError):
        return "the document is not JSON"
    if isinstance(reason, OSError):
        return reason.strerror or str(reason)
    return str(reason or exc)
