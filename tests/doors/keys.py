"""A key server of the tests' own, and every way to forge a token."""

import base64
import hashlib
import hmac
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from calls.doors.tokens import ISSUER

RESOURCE = "7d0c7a1e-0d3c-4a37-8a7c-1f0b7d0c9b55"
OURS = rsa.generate_private_key(public_exponent=65537, key_size=2048)
THEIRS = rsa.generate_private_key(public_exponent=65537, key_size=2048)
PUBLIC_PEM = OURS.public_key().public_bytes(
    Encoding.PEM, PublicFormat.SubjectPublicKeyInfo
)


class KeyServer:
    """Discovery document and keys; `is_down` makes every answer a 503."""

    def __init__(self, url: str) -> None:
        self.discovery_url = f"{url}/discovery"
        self.is_down = False
        self.requests: list[str] = []

    def answer(self, path: str, host: str) -> dict[str, Any] | None:
        self.requests.append(path)
        if self.is_down:
            return None
        if path == "/keys":
            to_jwk = jwt.algorithms.RSAAlgorithm.to_jwk
            key: dict[str, Any] = to_jwk(OURS.public_key(), as_dict=True)
            return {"keys": [key | {"kid": "k", "use": "sig"}]}
        return {"issuer": ISSUER, "jwks_uri": f"http://{host}/keys"}


@contextmanager
def key_server() -> Iterator[KeyServer]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = keys.answer(self.path, self.headers["Host"])
            body = json.dumps(found).encode()
            self.send_response(503 if found is None else 200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    keys = KeyServer(f"http://127.0.0.1:{server.server_address[1]}")
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield keys
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def claims(**changes: Any) -> dict[str, Any]:
    now = int(time.time())
    made = {"iss": ISSUER, "aud": RESOURCE, "iat": now, "nbf": now, "exp": now + 300}
    return {name: value for name, value in (made | changes).items() if value != ""}


def token(key: Any = OURS, *, kid: str = "k", head: Any = None, **changes: Any) -> str:
    """Return a true token, but for what is changed."""
    headers = {"kid": kid} | (head or {})
    return jwt.encode(claims(**changes), key, "RS256", headers=headers)


def part(document: Any) -> str:
    raw = document if isinstance(document, bytes) else json.dumps(document).encode()
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def unsigned(algorithm: str) -> str:
    head = {"alg": algorithm, "typ": "JWT", "kid": "k"}
    return f"{part(head)}.{part(claims())}."


def signed_with_the_public_key() -> str:
    """HS256 under the text of our public key: true for who lets the token choose."""
    text = f"{part({'alg': 'HS256', 'typ': 'JWT', 'kid': 'k'})}.{part(claims())}"
    return f"{text}.{part(hmac.digest(PUBLIC_PEM, text.encode(), hashlib.sha256))}"


def with_other_claims() -> str:
    head, _, signature = token(aud="another").split(".")
    return f"{head}.{part(claims())}.{signature}"


def with_a_key_of_its_own() -> str:
    key = jwt.algorithms.RSAAlgorithm.to_jwk(THEIRS.public_key(), as_dict=True)
    return token(THEIRS, kid="own", head={"jwk": key, "jku": "http://127.0.0.1:9/"})


FORGERIES: dict[str, Callable[[], str]] = {
    "forged": lambda: token(THEIRS),
    "other claims under a true signature": with_other_claims,
    "expired": lambda: token(exp=time.time() - 400),
    "not valid yet": lambda: token(nbf=time.time() + 400),
    "issued in the future": lambda: token(iat=time.time() + 400),
    "without an end": lambda: token(exp=""),
    "wrong issuer": lambda: token(iss="https://evil.example"),
    "wrong audience": lambda: token(aud="another"),
    "alg none": lambda: unsigned("none"),
    "alg None": lambda: unsigned("None"),
    "alg RS256 without a signature": lambda: unsigned("RS256"),
    "HS256 signed with the public key": signed_with_the_public_key,
    "unknown kid": lambda: token(THEIRS, kid="unknown"),
    "a key in its header": with_a_key_of_its_own,
    "deep": lambda: f"{part(b'[' * 5000)}.{part({})}.{part(b'x')}",
    "none": lambda: "",
}
"""Tokens that prove nothing, each with what makes it."""
