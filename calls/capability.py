"""Unguessable per-call secrets in URLs, which prove themselves.

ACS calls us back at `/webhooks/calls/<secret>` and dials `/media/<secret>`. The secret
names the call and carries a signature under `SECRET_KEY`, so ingest knows a true one
without the database: a database that is down must not cost a call its audio.
"""

import base64
import hmac
from uuid import UUID

from django.conf import settings
from django.utils.crypto import salted_hmac

SALT = "calls.capability"
SIGNATURE_BYTES = 16


def call_secret(call_id: UUID) -> str:
    """Return the secret of a call: 43 characters that are safe in a URL path."""
    raw = call_id.bytes + _signature(call_id, settings.SECRET_KEY)
    return base64.urlsafe_b64encode(raw).decode("ascii").rstrip("=")


def call_id_of(secret: str) -> UUID | None:
    """Return the call that `secret` names, or None if we did not make it.

    Older keys in `SECRET_KEY_FALLBACKS` verify too: calls outlive a change of key.
    """
    try:
        raw = base64.urlsafe_b64decode(secret.encode("ascii") + b"=")
    except (ValueError, UnicodeEncodeError):
        return None
    if len(raw) != 16 + SIGNATURE_BYTES:
        return None
    call_id = UUID(bytes=raw[:16])
    keys = [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]
    known = [hmac.compare_digest(raw[16:], _signature(call_id, key)) for key in keys]
    return call_id if any(known) else None


def _signature(call_id: UUID, key: str) -> bytes:
    digest = salted_hmac(SALT, call_id.hex, secret=key, algorithm="sha256").digest()
    return digest[:SIGNATURE_BYTES]
