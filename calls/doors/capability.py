"""Unguessable per-call secrets in URLs, which prove themselves.

ACS calls us back at `/webhooks/calls/<secret>` and dials `/media/<secret>`. The secret
names the call and carries a signature under `SECRET_KEY`, so ingest knows a true one
without the database: a database that is down must not cost a call its audio.
"""

import base64
import hmac
import re
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.utils.crypto import salted_hmac

SALT = "calls.capability"
SIGNATURE_BYTES = 16
FORM = re.compile(r"[A-Za-z0-9_-]{43}")
# A token of ACS for a socket lives so long: whoever redials a call later is not ACS.
TOKEN_LIFE = timedelta(hours=24)


def call_secret(call_id: UUID) -> str:
    """Return the secret of a call: 43 characters that are safe in a URL path."""
    raw = call_id.bytes + _signature(call_id, settings.SECRET_KEY)
    return base64.urlsafe_b64encode(raw).decode("ascii").rstrip("=")


def call_id_of(secret: str) -> UUID | None:
    """Return the call that `secret` names, or None if we did not make it.

    Older keys in `SECRET_KEY_FALLBACKS` verify too: calls outlive a change of key.
    """
    # Python's decoder passes over what is no base64: a secret has one spelling only.
    if not FORM.fullmatch(secret):
        return None
    raw = base64.urlsafe_b64decode(f"{secret}=")
    if base64.urlsafe_b64encode(raw).decode("ascii").rstrip("=") != secret:
        return None
    call_id = UUID(bytes=raw[:16])
    keys = [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]
    known = [hmac.compare_digest(raw[16:], _signature(call_id, key)) for key in keys]
    return call_id if any(known) else None


def is_dead(*, ended_at: datetime, is_told: bool, now: datetime) -> bool:
    """Say whether a call's secret has died with it.

    `is_told`: ACS said that the call is over; its last callbacks come late, so the
    secret outlives it by `ACSSTREAM_SECRET_GRACE`. What we only concluded may be wrong,
    and such a call may turn out to be up: its secret lives as long as ACS's token.
    """
    grace = timedelta(seconds=settings.SECRET_GRACE) if is_told else TOKEN_LIFE
    return now - ended_at > grace


def _signature(call_id: UUID, key: str) -> bytes:
    digest = salted_hmac(SALT, call_id.hex, secret=key, algorithm="sha256").digest()
    return digest[:SIGNATURE_BYTES]
