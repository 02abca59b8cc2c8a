"""Does ACS reach our webhooks, and is Event Grid subscribed to them?"""

from django.conf import settings

from calls import formats
from calls.database import DATABASE_AWAY
from calls.envelopes import VALIDATION
from calls.models import CallEvent
from calls.preflight import addresses
from calls.preflight.network import Answer, fetch, reason
from calls.preflight.outcome import Outcome, green, red, unknown

# No secret of ours is so short.
WRONG_SECRET = "preflight"  # noqa: S105 a path that must be refused
REDIRECTS = range(300, 400)


def callback_url() -> addresses.PublicUrl:
    """Return the URL under which ACS is to reach the console's webhooks."""
    return addresses.PublicUrl(
        "ACSSTREAM_PUBLIC_URL", settings.PUBLIC_URL, "https", "http"
    )


def check_url() -> Outcome:
    """Check the callback URL's scheme."""
    return addresses.check_scheme(callback_url())


def check_host() -> Outcome:
    """Check the callback URL's host."""
    return addresses.check_host(callback_url())


def check_certificate() -> Outcome:
    """Check the callback URL's certificate."""
    return addresses.check_certificate(callback_url())


def check_path() -> Outcome:
    """Ask our own console from outside: its health, and a webhook that is none."""
    public = callback_url()
    target = public.target
    if target is None:
        return unknown(public.unusable())
    try:
        health = fetch(f"{public.url}/healthz")
        hook = fetch(f"{public.url}/webhooks/calls/{WRONG_SECRET}", b"[]")
    except OSError as exc:
        return red(
            f"{target} cannot be reached: {reason(exc)}.",
            "Check that the console runs, and that proxy and firewall let it be"
            " reached.",
        )
    if not (hook.status == 404 and hook.text == "There is no such call."):
        return _stranger("POST /webhooks/calls/…", hook)
    if health.status != 200 or health.text != "ok\n":
        return green(
            "The webhooks answer as ours; /healthz is kept inside, as it may be."
        )
    return green(f"/healthz and the webhooks answer under {target}.")


def _stranger(asked: str, answer: Answer) -> Outcome:
    told = f"{asked} is answered with HTTP {answer.status}"
    if answer.status == 400:
        return red(f"{told}.", "Put the host into ALLOWED_HOSTS.")
    if answer.status in (401, 403):
        return red(
            f"{told}: something in front asks for a login or filters.",
            "Let /webhooks/ pass without: the console checks ACS's tokens itself.",
        )
    if answer.status in REDIRECTS:
        return red(
            f"{told}: a redirect.",
            "ACS is not to be sent on: have the proxy answer itself, and with TLS at"
            " the proxy set ACSSTREAM_BEHIND_PROXY=true.",
        )
    return red(
        f"{told}, and not by our console.",
        "Have the proxy send /webhooks/ to the console.",
    )


def check_event_grid() -> Outcome:
    """Check that Event Grid's handshake was answered, and say when a call last rang."""
    try:
        shaken = _last(VALIDATION)
        rang = _last("IncomingCall")
    except DATABASE_AWAY as exc:
        return unknown(f"The database cannot be asked ({type(exc).__name__}).")
    proof = settings.EVENTGRID_SECRET or settings.EVENTGRID_AUDIENCE
    if not proof and settings.CALLBACK_AUTH != "off":
        return red(
            "Event Grid is refused: ACSSTREAM_EVENTGRID_SECRET is not set.",
            "Set it, and subscribe with it in the webhook's address.",
        )
    if shaken is None and rang is None:
        return red(
            "Event Grid has never called: no handshake and no incoming call.",
            "Subscribe IncomingCall of the ACS resource to <public"
            " URL>/webhooks/eventgrid?secret=<ACSSTREAM_EVENTGRID_SECRET>.",
        )
    when = formats.moment
    called = (
        f"the last call rang {when(rang.received_at)}" if rang else "no call rang yet"
    )
    if shaken is None:
        return green(f"No handshake is on record, but {called}.")
    return green(f"The handshake was answered {when(shaken.received_at)}; {called}.")


def _last(kind: str) -> CallEvent | None:
    events = CallEvent.objects.filter(source=CallEvent.Source.EVENT_GRID, kind=kind)
    return events.order_by("-received_at").only("received_at").first()
