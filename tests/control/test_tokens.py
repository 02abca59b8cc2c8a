"""ACS's tokens, against a real HTTP server with a discovery document and keys."""

import json
import queue
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from pytest_django import Settings

from calls.doors.signing_keys import (
    FRESH_SECONDS,
    SECONDS_AFTER_FAILURE,
    SECONDS_AFTER_FETCH,
    KeysMissing,
    SigningKeys,
    signing_keys,
)
from calls.doors.tokens import ISSUER, TokenRefused, bearer, verify
from tests.control.bench import serving
from tests.control.wire import call_made, connected, post_callback

RESOURCE = "6f1f8d6e-3f61-4c0b-9a53-7e0a4f8f3b11"
OURS = rsa.generate_private_key(public_exponent=65537, key_size=2048)
THEIRS = rsa.generate_private_key(public_exponent=65537, key_size=2048)


class KeyServer:
    """Discovery document and keys, as they are set at the moment of the request."""

    def __init__(self) -> None:
        self.url = ""
        self.keys: dict[str, rsa.RSAPrivateKey] = {"first": OURS}
        self.more_keys: list[Any] = []
        self.broken: bytes | None = None
        self.requests: queue.Queue[str] = queue.Queue()
        self.gate = threading.Event()
        self.gate.set()

    @property
    def discovery_url(self) -> str:
        return f"{self.url}/discovery"

    @property
    def fetches(self) -> int:
        return list(self.requests.queue).count("/discovery")

    def answer(self, path: str) -> bytes:
        self.requests.put(path)
        self.gate.wait(10)
        if self.broken is not None:
            return self.broken
        if path == "/discovery":
            return json.dumps({"jwks_uri": f"{self.url}/keys"}).encode()
        to_jwk = jwt.algorithms.RSAAlgorithm.to_jwk
        listed: list[Any] = [
            to_jwk(key.public_key(), as_dict=True) | {"kid": name, "use": "sig"}
            for name, key in self.keys.items()
        ]
        return json.dumps({"keys": [*self.more_keys, *listed]}).encode()


@pytest.fixture
def server(settings: Settings) -> Iterator[KeyServer]:
    keys = KeyServer()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = keys.answer(self.path)
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    with serving(ThreadingHTTPServer(("127.0.0.1", 0), Handler)) as url:
        keys.url = url
        settings.ACS_OPENID_URL = keys.discovery_url
        settings.ACS_RESOURCE_ID = RESOURCE
        yield keys


DAY = 24 * 3600.0


def eventually(claim: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not claim():
        assert time.monotonic() < deadline, "it did not come true"
        time.sleep(0.02)


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def claims(**changes: Any) -> dict[str, Any]:
    now = int(time.time())
    made = {"iss": ISSUER, "aud": RESOURCE, "iat": now, "nbf": now, "exp": now + 300}
    return {name: value for name, value in (made | changes).items() if value != ""}


def token(
    key: Any = OURS, *, algorithm: str = "RS256", kid: str = "first", **changes: Any
) -> str:
    headers = {"kid": kid} if kid else {}
    return jwt.encode(claims(**changes), key, algorithm=algorithm, headers=headers)


def refusal(text: str) -> str:
    with pytest.raises(TokenRefused) as refused:
        verify(text)
    return str(refused.value)


def test_returns_the_claims_of_a_true_token(server: KeyServer) -> None:
    assert verify(token())["aud"] == RESOURCE


@pytest.mark.usefixtures("server")
@pytest.mark.parametrize(
    ("made", "reason"),
    [
        (lambda: token(exp=time.time() - 400), "it has expired"),
        (lambda: token(nbf=time.time() + 400), "it is not valid yet"),
        (lambda: token(aud="other"), "it was made for another ACS resource"),
        (lambda: token(iss="https://evil.example"), "it was not issued by ACS"),
        (lambda: token(exp=""), "it lacks a required claim"),
        (lambda: token(aud=""), "it lacks a required claim"),
        (lambda: token(THEIRS), "its signature is false"),
        (lambda: token()[:-8] + "AAAAAAAA", "its signature is false"),
        (lambda: token(kid=""), "it names no key"),
        (lambda: token(kid="other"), "it is signed with an unknown key"),
        (lambda: token(algorithm="RS512"), "it is not signed with RS256"),
        (lambda: token(None, algorithm="none"), "it is not signed with RS256"),
        (lambda: token("k" * 64, algorithm="HS256"), "it is not signed with RS256"),
        (lambda: "no token", "it is not a JSON Web Token"),
        (lambda: "a.b.c", "it is not a JSON Web Token"),
        (lambda: "é" * 20, "it is not a JSON Web Token"),
        (lambda: "", "it is not a JSON Web Token"),
        (lambda: "a" * 20_000, "it is too long"),
    ],
)
def test_refuses_a_false_token(made: Callable[[], str], reason: str) -> None:
    assert refusal(made()) == reason


@pytest.mark.usefixtures("server")
def test_a_clock_that_is_minutes_off_does_not_cost_calls() -> None:
    now = time.time()

    assert verify(token(exp=now - 200, nbf=now - 500))
    assert verify(token(nbf=now + 200))


def test_fetches_keys_once_for_many_tokens(server: KeyServer) -> None:
    for _ in range(5):
        verify(token())

    assert server.fetches == 1


def test_false_tokens_do_not_become_requests(server: KeyServer) -> None:
    for number in range(20):
        refusal(token(kid=f"unknown {number}"))

    assert server.fetches == 1


def test_meets_a_new_key_by_fetching_again(server: KeyServer) -> None:
    clock = Clock()
    keys = SigningKeys(server.discovery_url, clock=clock)
    keys.key("first")
    server.keys["second"] = THEIRS

    with pytest.raises(KeysMissing):
        keys.key("second")
    clock.now += SECONDS_AFTER_FETCH

    assert keys.key("second") == THEIRS.public_key()
    assert keys.key("first") == OURS.public_key()
    assert server.fetches == 2


def test_forgets_a_withdrawn_key_within_hours(server: KeyServer) -> None:
    clock = Clock()
    keys = SigningKeys(server.discovery_url, clock=clock)
    keys.key("first")
    server.keys = {"second": THEIRS}
    clock.now += FRESH_SECONDS

    # Nobody waits for that: they are fetched aside.
    eventually(lambda: keys.known("first") is None)
    assert keys.known("second")


def test_known_keys_do_not_wait_for_a_mute_key_server(server: KeyServer) -> None:
    clock = Clock()
    keys = SigningKeys(server.discovery_url, clock=clock)
    keys.key("first")
    server.gate.clear()
    clock.now += FRESH_SECONDS

    assert keys.key("first") == OURS.public_key()

    eventually(lambda: server.fetches == 2)
    server.gate.set()


def test_an_outage_of_the_key_server_does_not_cost_calls(server: KeyServer) -> None:
    clock = Clock()
    keys = SigningKeys(server.discovery_url, clock=clock)
    keys.key("first")
    server.broken = b"down"
    clock.now += 2 * FRESH_SECONDS

    assert keys.key("first") == OURS.public_key()


def test_an_outage_is_believed_for_a_day_only(server: KeyServer) -> None:
    clock = Clock()
    keys = SigningKeys(server.discovery_url, outage=DAY, clock=clock)
    keys.key("first")
    server.broken = b"down"
    clock.now += DAY

    with pytest.raises(KeysMissing, match="cannot be fetched"):
        keys.key("first")


def test_tries_again_soon_after_a_failure(server: KeyServer) -> None:
    clock = Clock()
    keys = SigningKeys(server.discovery_url, clock=clock)
    server.broken = b"down"
    with pytest.raises(KeysMissing, match="the document is not JSON"):
        keys.key("first")
    server.broken = None
    with pytest.raises(KeysMissing, match="the document is not JSON"):
        keys.key("first")

    clock.now += SECONDS_AFTER_FAILURE

    assert keys.key("first") == OURS.public_key()


def test_many_threads_wait_for_one_fetch(server: KeyServer) -> None:
    server.gate.clear()
    keys = SigningKeys(server.discovery_url)
    with ThreadPoolExecutor(8) as pool:
        waiting = [pool.submit(keys.key, "first") for _ in range(8)]
        assert server.requests.get(timeout=10) == "/discovery"
        server.gate.set()

        found = [future.result(timeout=10) for future in waiting]

    assert found == [OURS.public_key()] * 8
    assert server.fetches == 0, "the one was taken from the queue above"


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        (b"<html>", "the document is not JSON"),
        (b"\xff", "the document is not JSON"),
        (b"[]", "the document is not a JSON object"),
        (b"{}", "the discovery document names no jwks_uri"),
        (b'{"jwks_uri": "file:///etc/passwd"}', "its address is not an http(s) URL"),
    ],
)
def test_says_what_is_wrong_with_the_key_server(
    server: KeyServer, broken: bytes, reason: str
) -> None:
    server.broken = broken

    assert refusal(token()) == f"the signing keys cannot be fetched: {reason}"


def test_passes_over_keys_it_cannot_use(server: KeyServer) -> None:
    small = rsa.generate_private_key(public_exponent=65537, key_size=1024)  # noqa: S505 refused
    to_jwk = jwt.algorithms.RSAAlgorithm.to_jwk
    other: Any = to_jwk(THEIRS.public_key(), as_dict=True)
    server.more_keys = [
        7,
        to_jwk(small.public_key(), as_dict=True) | {"kid": "small"},
        other | {"kid": "encrypts", "use": "enc"},
        other | {"kid": "another algorithm", "alg": "RS512"},
        {"kid": "ec", "kty": "EC", "crv": "P-256", "x": "eA", "y": "eQ"},
        {"kid": "broken", "kty": "RSA", "n": "!", "e": "AQAB"},
        {"kid": "empty", "kty": "RSA"},
        {"kid": 5, "kty": "RSA"},
        {"kty": "oct", "kid": "secret", "k": "c2VjcmV0"},
    ]

    assert verify(token())
    for name in ("small", "encrypts", "another algorithm"):
        assert signing_keys(server.discovery_url).known(name) is None


def test_an_unreachable_key_server_refuses_in_words(settings: Settings) -> None:
    settings.ACS_OPENID_URL = "http://127.0.0.1:9/unreachable"

    assert refusal(token()) == (
        "the signing keys cannot be fetched: Connection refused"
    )


def test_without_a_resource_id_no_token_is_true(
    server: KeyServer, settings: Settings
) -> None:
    settings.ACS_RESOURCE_ID = ""

    assert "ACSSTREAM_ACS_RESOURCE_ID" in refusal(token())


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer ", "Basic abc", "abc"])
def test_a_header_without_a_bearer_token_is_refused(header: str) -> None:
    with pytest.raises(TokenRefused):
        bearer(header)


@pytest.mark.database
@pytest.mark.django_db
@pytest.mark.parametrize(
    ("mode", "false", "missing"),
    [("required", 401, 401), ("log_only", 200, 200), ("off", 200, 200)],
)
def test_callbacks_need_a_token_if_so_set(
    server: KeyServer, settings: Settings, mode: str, false: int, missing: int
) -> None:
    settings.CALLBACK_AUTH = mode
    call = call_made()

    def status(authorization: str) -> int:
        answer = post_callback(call, connected(), authorization=authorization)
        return int(answer.status_code)

    assert status(f"Bearer {token()}") == 200
    assert status(f"Bearer {token(THEIRS)}") == false
    assert post_callback(call, connected()).status_code == missing
    assert call.events.count() == 1 + 2 * (mode != "required")
