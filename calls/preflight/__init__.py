"""Preflight: does everything stand that ACS needs? Each check green, red or unknown.

The checks look at the real thing: they dial, ask and store as ACS and the workers do.
None changes anything that stays, and each takes seconds at most.
"""

from calls.preflight import azure, media, parts, webhooks
from calls.preflight.outcome import Check, Outcome, Result, Status, run

__all__ = [
    "CHECKS",
    "GROUPS",
    "Check",
    "Outcome",
    "Result",
    "Status",
    "check_of",
    "run",
]

MEDIA, CALLBACKS, AZURE, PARTS = "Media", "Webhooks", "Azure", "Our parts"
GROUPS = (MEDIA, CALLBACKS, AZURE, PARTS)
CHECKS: tuple[Check, ...] = (
    Check("media-url", "Media URL", MEDIA, media.check_url),
    Check("media-host", "Media host", MEDIA, media.check_host),
    Check("media-certificate", "Media certificate", MEDIA, media.check_certificate),
    Check("media-path", "Ingest answers", MEDIA, media.check_path),
    Check("callback-url", "Callback URL", CALLBACKS, webhooks.check_url),
    Check("callback-host", "Callback host", CALLBACKS, webhooks.check_host),
    Check(
        "callback-certificate",
        "Callback certificate",
        CALLBACKS,
        webhooks.check_certificate,
    ),
    Check("callback-path", "Webhooks answer", CALLBACKS, webhooks.check_path),
    Check("event-grid", "Event Grid", CALLBACKS, webhooks.check_event_grid),
    Check("credentials", "Access key", AZURE, azure.check_credentials),
    Check("clock", "Clock", AZURE, azure.check_clock),
    Check("tokens", "Token keys", AZURE, azure.check_tokens),
    Check("transcription", "Transcription", AZURE, azure.check_transcription),
    Check("database", "Database", PARTS, parts.check_database),
    Check("redis", "Redis", PARTS, parts.check_redis),
    Check("ingest", "Ingest processes", PARTS, parts.check_ingest),
    Check("workers", "Workers", PARTS, parts.check_workers),
    Check("beat", "Beat", PARTS, parts.check_beat),
    Check("journals", "Journals", PARTS, parts.check_journals),
    Check("storage", "Storage", PARTS, parts.check_storage),
)


def check_of(name: str) -> Check | None:
    """Return the check of that name."""
    return next((check for check in CHECKS if check.name == name), None)
