"""Tokens on sockets and callbacks: RS256, with the documents to verify them."""

import base64
import secrets
import time
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

ISSUER = "https://acscallautomation.communication.azure.com"
SOCKET_LIFETIME = 24 * 3600
CALLBACK_LIFETIME = 5 * 60

FAULTS = ("", "expired", "wrong_audience", "wrong_issuer", "unsigned", "unknown_key")
"""Ways in which a token can be made wrong, per call."""


class TokenIssuer:
    """Signs tokens for one resource with a key of its own.

    Lifetimes are of the wall clock, whatever the emulated clock does.
    """

    def __init__(self, audience: str) -> None:
        self._audience = audience
        self._key_id = secrets.token_hex(10)
        self._key = _new_key()

    def issue(self, lifetime: int, *, fault: str = "") -> str:
        """Return a new token that is valid for `lifetime` seconds from now.

        A fault makes it `expired`, for the `wrong_audience`, of the `wrong_issuer`,
        `unsigned`, or signed with an `unknown_key`.
        """
        now = int(time.time())
        if fault == "expired":
            now -= lifetime + 3600
        wrong = "00000000-0000-0000-0000-000000000000"
        claims = {
            "iss": "https://example.com" if fault == "wrong_issuer" else ISSUER,
            "aud": wrong if fault == "wrong_audience" else self._audience,
            "iat": now,
            "nbf": now,
            "exp": now + lifetime,
            "jti": secrets.token_hex(16),
        }
        if fault == "unsigned":
            return jwt.encode(claims, key="", algorithm="none")
        if fault == "unknown_key":
            headers = {"kid": secrets.token_hex(10)}
            return jwt.encode(claims, _new_key(), algorithm="RS256", headers=headers)
        headers = {"kid": self._key_id}
        return jwt.encode(claims, self._key, algorithm="RS256", headers=headers)

    def key_set(self) -> dict[str, Any]:
        """Return the JSON Web Key Set that verifies our tokens."""
        key = RSAAlgorithm.to_jwk(self._key.public_key(), as_dict=True)
        key |= {"kid": self._key_id, "use": "sig", "alg": "RS256"}
        return {"keys": [key]}


def _new_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def discovery(base_url: str) -> dict[str, Any]:
    """Return the OpenID configuration; the keys are where the emulator listens."""
    return {
        "issuer": ISSUER,
        "jwks_uri": f"{base_url}/calling/keys",
        "response_types_supported": ["token"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
    }


def incoming_call_context() -> str:
    """Return a new capability to answer one call: an unsigned JWT of about 8 kB.

    The real one holds a compressed context and a proof; nobody outside reads them, so
    ours holds random bytes of the same size.
    """
    padding = base64.b64encode(secrets.token_bytes(4300)).decode()
    claims = {"cc": padding, "jti": secrets.token_hex(16)}
    return jwt.encode(claims, key="", algorithm="none")
