"""A small OpenID provider of our own, on a real port: who asks it is let in at once.

It is strict where a provider is (the redirect address, the code once, PKCE, the
client's secret), and lies where a test asks it to.
"""

import base64
import hashlib
import hmac
import json
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

CLIENT, SECRET = "acsstream-console", "the client's secret"
PUBLIC = (serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


@dataclass
class Key:
    """A signing key and its id."""

    kid: str
    private: Any = field(
        default_factory=lambda: rsa.generate_private_key(65537, 2048), repr=False
    )

    def jwk(self) -> dict[str, Any]:
        found = json.loads(
            jwt.algorithms.RSAAlgorithm.to_jwk(self.private.public_key())
        )
        return {**found, "kid": self.kid, "use": "sig", "alg": "RS256"}


@dataclass
class Provider:
    """The provider: what it publishes, and what it is to say of who asks."""

    url: str
    key: Key = field(default_factory=lambda: Key("first"))
    published: list[Key] = field(default_factory=list)
    claims: dict[str, Any] = field(default_factory=dict)
    # How the token is to be signed: an algorithm and a key, or as it should be.
    forged: tuple[str, Any] | None = None
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def discovery(self) -> dict[str, Any]:
        return {
            "issuer": self.url,
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
            "jwks_uri": f"{self.url}/keys",
            "end_session_endpoint": f"{self.url}/leave",
            "response_types_supported": ["code"],
            # Generous, as some are: what we accept is our own choice.
            "id_token_signing_alg_values_supported": ["RS256", "HS256", "none"],
        }

    def code_for(self, query: dict[str, str]) -> str:
        assert query["client_id"] == CLIENT
        assert query["response_type"] == "code"
        assert query["code_challenge_method"] == "S256"
        code = secrets.token_urlsafe(16)
        self.codes[code] = query
        return code

    def token_for(self, form: dict[str, str]) -> dict[str, Any] | None:
        asked = self.codes.pop(form.get("code", ""), None)
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        challenge = base64url(digest).decode()
        if (
            asked is None
            or challenge != asked["code_challenge"]
            or form.get("redirect_uri") != asked["redirect_uri"]
            or (form.get("client_id"), form.get("client_secret")) != (CLIENT, SECRET)
        ):
            return None
        return {
            "access_token": secrets.token_urlsafe(16),
            "token_type": "Bearer",
            "expires_in": 300,
            "id_token": self.id_token(asked["nonce"]),
        }

    def id_token(self, nonce: str) -> str:
        now = int(time.time())
        told = {
            "iss": self.url,
            "aud": CLIENT,
            "sub": "subject-1",
            "exp": now + 300,
            "iat": now,
            "nonce": nonce,
            "preferred_username": "ada@example.com",
            "given_name": "Ada",
        }
        claims = {k: v for k, v in (told | self.claims).items() if v is not None}
        algorithm, key = self.forged or ("RS256", self.key.private)
        if algorithm == "HS256":
            return hand_signed(claims, key, self.key.kid)
        return jwt.encode(claims, key, algorithm, headers={"kid": self.key.kid})

    def public_pem(self) -> bytes:
        pem: bytes = self.key.private.public_key().public_bytes(*PUBLIC)
        return pem


def hand_signed(claims: dict[str, Any], key: bytes, kid: str) -> str:
    """Sign with HMAC and a key that PyJWT would refuse to sign with."""
    head = {"alg": "HS256", "typ": "JWT", "kid": kid}
    body = b".".join(base64url(json.dumps(part).encode()) for part in (head, claims))
    return (body + b"." + base64url(hmac.digest(key, body, "sha256"))).decode()


def base64url(raw: bytes) -> bytes:
    return base64.urlsafe_b64encode(raw).rstrip(b"=")


@contextmanager
def provider() -> Iterator[Provider]:
    """Run one until the block ends."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found = Provider(f"http://127.0.0.1:{server.server_address[1]}")
    found.published = [found.key]
    server.op = found  # type: ignore[attr-defined] # the handler's
    thread = threading.Thread(
        target=server.serve_forever, kwargs={"poll_interval": 0.05}
    )
    thread.start()
    try:
        yield found
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class Handler(BaseHTTPRequestHandler):
    @property
    def op(self) -> Provider:
        found: Provider = self.server.op  # type: ignore[attr-defined] # see above
        return found

    def do_GET(self) -> None:
        asked = urlsplit(self.path)
        self.op.asked.append(asked.path)
        match asked.path:
            case "/.well-known/openid-configuration":
                self.told(self.op.discovery())
            case "/keys":
                self.told({"keys": [key.jwk() for key in self.op.published]})
            case "/authorize":
                query = {name: each[0] for name, each in parse_qs(asked.query).items()}
                back = {"code": self.op.code_for(query), "state": query["state"]}
                self.send_response(302)
                self.send_header(
                    "Location", f"{query['redirect_uri']}?{urlencode(back)}"
                )
                self.end_headers()
            case _:
                self.told({"error": "not_found"}, 404)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        form = {name: each[0] for name, each in parse_qs(body).items()}
        answer = self.op.token_for(form)
        self.told(answer or {"error": "invalid_grant"}, 200 if answer else 400)

    def told(self, body: dict[str, Any], status: int = 200) -> None:
        sent = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(sent)))
        self.end_headers()
        self.wfile.write(sent)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""
