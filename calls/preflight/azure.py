"""Does ACS know us? The access key, the clock its signature needs, the token keys."""

from datetime import UTC, datetime, timedelta

from django.conf import settings

from calls.acs import AcsRefused, acs
from calls.checks.acs import is_cognitive
from calls.database import DATABASE_AWAY
from calls.doors.tokens import TokenRefused, keys_try
from calls.models import StreamingProfile
from calls.models.profiles import NO_COGNITIVE_ENDPOINT, TranscriptionStart
from calls.preflight.network import Answer, Target, fetch, reason
from calls.preflight.outcome import Outcome, green, red, unknown, warning

# No call has this id: the question is harmless, and only its signature matters.
NO_CALL = "00000000-0000-0000-0000-000000000000"
UNAUTHORIZED = 401
FORBIDDEN = 403
BROKEN_SECONDS = 60.0
OFF_SECONDS = 5.0


def check_credentials() -> Outcome:
    """Ask ACS about a call that cannot be; a 404 of its own accepts our signature."""
    if not settings.ACS_ENDPOINT or not settings.ACS_ACCESS_KEY:
        return red(
            "No ACS resource is configured.",
            "Set ACSSTREAM_ACS_ENDPOINT and ACSSTREAM_ACS_ACCESS_KEY: Azure portal,"
            " Keys.",
        )
    try:
        acs().properties(NO_CALL)
    except AcsRefused as refused:
        return _judged(refused)
    return green("ACS accepts the access key.")


def _judged(refused: AcsRefused) -> Outcome:
    if refused.code in (UNAUTHORIZED, FORBIDDEN):
        return red(
            f"ACS does not accept the access key ({refused.code}).",
            "Copy ACSSTREAM_ACS_ACCESS_KEY anew from the portal's page Keys, of the"
            " resource that ACSSTREAM_ACS_ENDPOINT names.",
        )
    # Its own number: it read the request, and so has verified the signature before.
    if refused.is_call_gone or refused.subcode is not None:
        return green("ACS accepts the access key.")
    if refused.code is None:
        return red(
            refused.message,
            "Check ACSSTREAM_ACS_ENDPOINT, and that this machine may call out.",
        )
    if refused.is_retryable:
        return unknown(f"ACS gives no judgement now: {refused.message}")
    return red(
        f"What answers at {settings.ACS_ENDPOINT} is not ACS (HTTP {refused.code}).",
        "Copy ACSSTREAM_ACS_ENDPOINT anew from the portal's page Keys.",
    )


def check_clock() -> Outcome:
    """Compare our clock with those of ACS and of what answers our public URL."""
    asked = {"ACS": settings.ACS_ENDPOINT, "the public URL": settings.PUBLIC_URL}
    off: dict[str, float] = {}
    for name, url in asked.items():
        if Target.of(url) is None:
            continue
        try:
            seconds = seconds_off(fetch(f"{url}/healthz" if name != "ACS" else url))
        except OSError as exc:
            if name == "ACS":
                return unknown(f"ACS cannot be asked for its time: {reason(exc)}.")
            continue
        if seconds is not None:
            off[name] = seconds
    if "ACS" not in off:
        return unknown("There is no answer of ACS that says its time.")
    return clock_judged(off)


def seconds_off(answer: Answer) -> float | None:
    """Return how far our clock is ahead of the server's; None if it does not say.

    0 within what cannot be told: Date has whole seconds, and the way takes time.
    """
    if answer.date is None:
        return None
    # A server that says 12:00:00 means any moment until 12:00:01.
    middle = answer.date.astimezone(UTC) + timedelta(seconds=0.5)
    ahead = (answer.asked - middle).total_seconds()
    unsure = 0.5 + answer.uncertain_seconds
    return 0.0 if abs(ahead) <= unsure else ahead


def clock_judged(off: dict[str, float]) -> Outcome:
    """Judge the seconds by which our clock is ahead (or, negative, behind)."""
    name = max(off, key=lambda each: abs(off[each]))
    seconds = off[name]
    if not seconds:
        now = datetime.now(UTC)
        return green(f"The clock is in step: {now:%H:%M:%S} UTC here and at ACS.")
    side = "ahead of" if seconds > 0 else "behind"
    told = f"This machine's clock is {abs(seconds):.0f} s {side} that of {name}"
    advice = "Let this machine keep time by NTP."
    if abs(seconds) > BROKEN_SECONDS:
        return red(f"{told}: signed requests are refused.", advice)
    if abs(seconds) > OFF_SECONDS:
        return warning(f"{told}.", advice)
    return green(f"{told}: close enough.")


def check_tokens() -> Outcome:
    """Check that the keys of ACS's tokens are at hand, where tokens are asked for."""
    if {settings.MEDIA_AUTH, settings.CALLBACK_AUTH} == {"off"}:
        return unknown("No token is asked for: both authentications are off.")
    if not settings.ACS_RESOURCE_ID:
        return red(
            "ACSSTREAM_ACS_RESOURCE_ID is not set: every token is refused.",
            "Set the resource's immutable id: `az communication show … --query"
            " immutableResourceId`.",
        )
    try:
        keys = keys_try(settings.ACS_OPENID_URL)
    except TokenRefused as exc:
        return red(
            f"The keys that sign ACS's tokens cannot be fetched: {exc}.",
            "Check ACSSTREAM_ACS_OPENID_URL, and that this machine may call out.",
        )
    many = "key signs" if len(keys) == 1 else "keys sign"
    return green(f"{len(keys)} {many} ACS's tokens, checked for our resource id.")


def check_transcription() -> Outcome:
    """Check that who wants calls transcribed has named what ACS does it with."""
    endpoint = settings.COGNITIVE_ENDPOINT
    if endpoint and not is_cognitive(endpoint):
        return red(
            "ACSSTREAM_COGNITIVE_ENDPOINT is not an https:// URL of a host.",
            "Copy it anew from the portal, the Azure AI services resource, Keys and"
            " Endpoint.",
        )
    wanting = StreamingProfile.objects.exclude(transcription=TranscriptionStart.OFF)
    try:
        names = ", ".join(f"“{profile}”" for profile in wanting)
    except DATABASE_AWAY as exc:
        return unknown(f"The database cannot be asked ({type(exc).__name__}).")
    if not names:
        return green("No profile has transcription on.")
    if not endpoint:
        return warning(
            f"{NO_COGNITIVE_ENDPOINT} Calls answered with {names} have no transcript.",
            "Set it to the endpoint of an Azure AI services resource that ACS may use,"
            " or turn transcription off in the profile.",
        )
    # Only ACS can ask the resource whether ACS may use it.
    return green(
        f"{names}: ACS is told to transcribe with {endpoint}. Whether it may shows with"
        " the first such call."
    )
