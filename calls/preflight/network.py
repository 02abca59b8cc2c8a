"""Names, certificates and HTTP as ACS would meet them, each within seconds."""

import http.client
import ipaddress
import queue
import socket
import ssl
import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import Message
from email.utils import parsedate_to_datetime
from typing import IO, Any, Self
from urllib.error import HTTPError, URLError
from urllib.parse import SplitResult, urlsplit
from urllib.request import (
    HTTPRedirectHandler,
    ProxyHandler,
    Request,
    build_opener,
)

from django.conf import settings

from calls.addresses import is_near

SECONDS = 5.0
BODY_BYTES = 4096
DEFAULT_PORTS = {"https": 443, "wss": 443, "http": 80, "ws": 80}


@dataclass(frozen=True, slots=True)
class Target:
    """Where a URL of the settings leads."""

    scheme: str
    host: str
    port: int

    @classmethod
    def of(cls, url: str) -> "Self | None":
        """Return the target of a URL, None if it names no host."""
        try:
            parts: SplitResult = urlsplit(url)
            host, port = parts.hostname, parts.port
        except ValueError:
            return None
        if not host:
            return None
        return cls(parts.scheme, host, port or DEFAULT_PORTS.get(parts.scheme, 443))

    def __str__(self) -> str:
        # Neither path nor a password that somebody put before the host.
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if self.port == DEFAULT_PORTS.get(self.scheme) else f":{self.port}"
        return f"{self.scheme}://{host}{port}"

    @property
    def is_tls(self) -> bool:
        """Say whether it is spoken to over TLS."""
        return self.scheme in ("https", "wss")


def is_emulated() -> bool:
    """Say whether the ACS of the settings is near: the emulator, not Azure."""
    target = Target.of(settings.ACS_ENDPOINT)
    return target is not None and is_near(target.host)


def addresses_of(target: Target) -> list[str]:
    """Return the addresses of a host. Raises OSError, also when it takes too long."""
    answers: queue.SimpleQueue[list[str] | OSError] = queue.SimpleQueue()

    def ask() -> None:
        try:
            found = socket.getaddrinfo(
                target.host, target.port, type=socket.SOCK_STREAM
            )
        except OSError as exc:
            answers.put(exc)
        except UnicodeError as exc:
            answers.put(OSError(f"it is no host name: {exc}"))
        else:
            answers.put(list(dict.fromkeys(str(entry[4][0]) for entry in found)))

    # The system's resolver has no time limit of ours.
    threading.Thread(target=ask, daemon=True).start()
    try:
        answer = answers.get(timeout=SECONDS)
    except queue.Empty:
        raise TimeoutError("no answer") from None
    if isinstance(answer, OSError):
        raise answer
    return answer


def is_public(address: str) -> bool:
    """Say whether an address can be reached from the Internet."""
    return ipaddress.ip_address(address.partition("%")[0]).is_global


@dataclass(frozen=True, slots=True)
class Certificate:
    """What a trusted certificate says that is not over."""

    expires: datetime
    issuer: str

    def days_left(self, now: datetime) -> float:
        """Return the days until it expires."""
        return (self.expires - now).total_seconds() / 86_400


def certificate_of(target: Target) -> Certificate:
    """Return the certificate of a server, if it is trusted here for that host.

    Raises `ssl.SSLCertVerificationError` if it is not, other `OSError` if there is no
    TLS to be had.
    """
    context = ssl.create_default_context()
    with (
        socket.create_connection((target.host, target.port), SECONDS) as plain,
        context.wrap_socket(plain, server_hostname=target.host) as secured,
    ):
        found: Any = secured.getpeercert()
    expires = ssl.cert_time_to_seconds(found["notAfter"])
    names = {key: value for part in found.get("issuer", ()) for key, value in part}
    issuer = names.get("organizationName") or names.get("commonName") or "unknown"
    return Certificate(datetime.fromtimestamp(expires, UTC), issuer)


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer, whatever its status. `date` is what the server's clock said."""

    status: int
    text: str
    date: datetime | None
    # Our clock halfway between question and answer, and half of what that took.
    asked: datetime
    uncertain_seconds: float


class _NoRedirect(HTTPRedirectHandler):
    """ACS posts; where a redirect would lead is not where it was told to go."""

    def redirect_request(
        self,
        req: Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: Any,
        newurl: str,
    ) -> None:
        """Follow nothing."""


def fetch(url: str, body: bytes | None = None) -> Answer:
    """GET a URL, or POST `body` to it. Raises OSError if nothing answers."""
    target = Target.of(url)
    if target is None or target.scheme not in ("http", "https"):
        raise OSError("its address is not an http(s) URL")
    handlers: list[Any] = [_NoRedirect]
    if is_near(target.host):
        handlers.append(ProxyHandler({}))
    headers = {"Content-Type": "application/json"} if body is not None else {}
    request = Request(url, body, headers)  # noqa: S310 the scheme was looked at
    began, clock = time.time(), time.monotonic()
    try:
        with build_opener(*handlers).open(request, timeout=SECONDS) as answer:
            status, named, text = answer.status, answer.headers, answer.read(BODY_BYTES)
    except HTTPError as error:
        with error:
            status, named, text = error.code, error.headers, error.read(BODY_BYTES)
    except http.client.HTTPException as exc:
        raise OSError(f"its answer is no HTTP ({type(exc).__name__})") from exc
    half = (time.monotonic() - clock) / 2
    asked = datetime.fromtimestamp(began + half, UTC)
    return Answer(status, text.decode("utf-8", "replace"), _date(named), asked, half)


def _date(headers: Message) -> datetime | None:
    try:
        date = parsedate_to_datetime(headers["Date"] or "")
    except ValueError:
        return None
    return date if date.tzinfo else date.replace(tzinfo=UTC)


def reason(exc: OSError) -> str:
    """Return in words why nothing answered."""
    inner = exc.reason if isinstance(exc, URLError) else exc
    if isinstance(inner, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted: {inner.verify_message}"
    if isinstance(inner, ssl.SSLError):
        return "it does not speak TLS"
    if isinstance(inner, TimeoutError):
        return f"no answer within {SECONDS:g} s"
    if isinstance(inner, OSError):
        return inner.strerror or str(inner) or type(inner).__name__
    return str(inner)
