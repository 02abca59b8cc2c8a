"""Does ACS reach ingest? Scheme, host, certificate, and a dial of our own."""

import json
import ssl
import time
from typing import Any, cast

from django.conf import settings
from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException
from websockets.sync.client import connect

from calls.addresses import is_near
from calls.preflight import addresses
from calls.preflight.network import SECONDS, reason
from calls.preflight.outcome import Outcome, green, red, unknown, warning
from calls.probe import PROBE_HEADER, PROBE_PATH, ProbeAnswer, probe_proof

MAX_ANSWER = 16_384
# ACS stamps packets, ingest stamps arrivals: they are compared.
CLOCK_SECONDS = 5.0
REFUSED = 403


def media_url() -> addresses.PublicUrl:
    """Return the URL under which ACS is to reach ingest."""
    return addresses.PublicUrl(
        "ACSSTREAM_MEDIA_URL", settings.MEDIA_URL_BASE, "wss", "ws"
    )


def check_url() -> Outcome:
    """Check the media URL's scheme."""
    return addresses.check_scheme(media_url())


def check_host() -> Outcome:
    """Check the media URL's host."""
    return addresses.check_host(media_url())


def check_certificate() -> Outcome:
    """Check the media URL's certificate."""
    return addresses.check_certificate(media_url())


def check_path() -> Outcome:
    """Dial ourselves as ACS would, and have an ingest process answer."""
    public = media_url()
    target = public.target
    if target is None:
        return unknown(public.unusable())
    try:
        answer, ms = _dial(public.url, is_local=is_near(target.host))
    except (OSError, WebSocketException) as exc:
        return _undialled(f"{target.host}:{target.port}", exc)
    if answer is None:
        return red(
            "A WebSocket opens, but it is not our ingest that answers.",
            "Have the proxy send /media/ to `manage.py ingest`.",
        )
    return _judged(answer, ms)


def _dial(url: str, *, is_local: bool) -> tuple[ProbeAnswer | None, int]:
    """Return what ingest says of itself and the round trip's milliseconds."""
    began = time.monotonic()
    with connect(
        f"{url}/media/{PROBE_PATH}",
        additional_headers={PROBE_HEADER: probe_proof()},
        open_timeout=SECONDS,
        close_timeout=1,
        max_size=MAX_ANSWER,
        compression=None,
        proxy=None if is_local else True,
    ) as socket:
        try:
            text = socket.recv(timeout=SECONDS)
        except (TimeoutError, ConnectionClosed):
            # It spoke WebSocket, and had nothing to say to a probe.
            return None, 0
        ms = round((time.monotonic() - began) * 1000)
    return _answer_of(text), ms


def _answer_of(text: str | bytes) -> ProbeAnswer | None:
    try:
        answer: Any = json.loads(text)
    except ValueError:
        return None
    is_ours = isinstance(answer, dict) and answer.get("acsstream") == "ingest"
    return cast(ProbeAnswer, answer) if is_ours else None


def _undialled(where: str, exc: OSError | WebSocketException) -> Outcome:
    if isinstance(exc, InvalidStatus):
        return _refused(exc.response.status_code)
    if isinstance(exc, ssl.SSLCertVerificationError):
        return unknown("It cannot be dialled while its certificate is not trusted.")
    if isinstance(exc, OSError):
        return red(
            f"{where} cannot be dialled: {reason(exc)}.",
            "Check that ingest runs, and that proxy and firewall let it be reached.",
        )
    return red(
        f"What answers at {where} does not speak WebSocket ({type(exc).__name__}).",
        "Have the proxy pass upgrades on to ingest.",
    )


def _refused(status: int) -> Outcome:
    if status == REFUSED:
        return red(
            "The dial is refused with 403.",
            "If ingest logged a refused probe, give console and ingest the same"
            " SECRET_KEY and clock; if not, have the proxy send /media/ to ingest.",
        )
    return red(
        f"The dial is answered with HTTP {status}, not with a WebSocket.",
        "Have the proxy send /media/ to ingest and pass upgrades on.",
    )


def _judged(answer: ProbeAnswer, ms: int) -> Outcome:
    who = f"Ingest {answer['process'][:8]} on {answer['node']}"
    if refuses := answer.get("refuses"):
        return red(
            f"{who} answers in {ms} ms, but takes no socket: {refuses}.",
            "Start another ingest process, or free what it lacks.",
        )
    if (off := abs(time.time() - answer["at"])) > CLOCK_SECONDS:
        return warning(
            f"{who} answers in {ms} ms; its clock is {off:.0f} s off the console's.",
            "Let both machines keep time by NTP.",
        )
    if answer["media_auth"] != "required" and not settings.DEBUG:
        return warning(
            f"{who} answers in {ms} ms and takes sockets without a token of ACS"
            f" ({answer['media_auth']}).",
            "Set ACSSTREAM_MEDIA_AUTH=required there.",
        )
    return green(f"{who} answers in {ms} ms.")
