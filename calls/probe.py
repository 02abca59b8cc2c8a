"""A proof that lets the console dial its own ingest, and what ingest answers.

Preflight dials `/media/probe` under the public media URL with a proof in a header. The
proof is a nonce signed under `SECRET_KEY`, good for two minutes and for nothing else:
with it ingest says who it is and closes; without it the handshake is refused.
"""

import secrets
from typing import NotRequired, TypedDict

from django.core import signing

PROBE_PATH = "probe"
PROBE_HEADER = "x-acsstream-probe"
PROOF_SECONDS = 120
SALT = "calls.probe"
MAX_PROOF = 256


class ProbeAnswer(TypedDict):
    """What ingest says of itself to who has a proof. `at` is seconds since 1970."""

    acsstream: str
    process: str
    node: str
    at: float
    media_auth: str
    # Why it takes no further socket; missing while it does.
    refuses: NotRequired[str]


def probe_proof() -> str:
    """Return a new proof."""
    return signing.TimestampSigner(salt=SALT).sign(secrets.token_urlsafe(12))


def is_probe_proof(proof: str) -> bool:
    """Say whether `proof` was made by us in the last two minutes, by this clock.

    Older keys in `SECRET_KEY_FALLBACKS` verify too.
    """
    if not proof or len(proof) > MAX_PROOF:
        return False
    try:
        signing.TimestampSigner(salt=SALT).unsign(proof, max_age=PROOF_SECONDS)
    except signing.BadSignature:
        return False
    return True
