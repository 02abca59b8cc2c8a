"""Who may open a media socket.

ACS sends no Origin and has no session; it shows a token (RS256, made for our
resource) and knows the unguessable secret of the call's URL. The token proves "ACS,
for this resource", the secret proves "this call", and `x-ms-call-connection-id` must
agree with what ACS told us of the call. Browsers never share this stack.
"""

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from django.conf import settings

from calls import identity, tokens
from calls.capability import call_id_of
from calls.drafts import CallFacts

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a handshake is refused. `kind` is what it is counted under.

    `call_id` is the call whose secret it knew, so that the call can tell of it.
    """

    kind: str
    reason: str
    call_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Caller:
    """What a handshake claims about itself."""

    secret: str
    authorization: str
    call_connection_id: str
    correlation_id: str

    @classmethod
    def of(cls, secret: str, headers: Mapping[bytes, bytes]) -> "Caller":
        """Read the claims from ASGI headers, whose names are lower case."""

        def header(name: str) -> str:
            return headers.get(name.encode(), b"").decode("latin-1")[:8192]

        return cls(
            secret,
            header("authorization"),
            header("x-ms-call-connection-id")[:128],
            header("x-ms-call-correlation-id")[:128],
        )


async def call_of(caller: Caller) -> UUID | Refusal:
    """Return the call a handshake is for, or why it is refused.

    Needs no database. With authentication off any path is taken, and the call is the
    one that `x-ms-call-connection-id` names.
    """
    call_id = call_id_of(caller.secret)
    if settings.MEDIA_AUTH == "off":
        return call_id or identity.call_id(caller.call_connection_id or caller.secret)
    if call_id is None:
        return Refusal("secret", "the secret in the path is not one of ours")
    reason = await _token_fault(caller.authorization)
    if reason is None:
        return call_id
    if settings.MEDIA_AUTH == "log_only":
        log.warning("call %s: media socket taken although %s", call_id, reason)
        return call_id
    return Refusal("token", reason, call_id)


async def _token_fault(authorization: str) -> str | None:
    try:
        # Keys may have to be fetched: that waits, so not on the event loop.
        await asyncio.to_thread(lambda: tokens.verify(tokens.bearer(authorization)))
    except tokens.TokenRefused as exc:
        return f"its token was refused: {exc}"
    return None


def connection_fault(
    caller: Caller, call_id: UUID, facts: CallFacts | None
) -> Refusal | None:
    """Say if a handshake names another connection than ACS told us of the call.

    Unknown (the answer's response is not in yet, or the database is silent) is no
    fault: secret and token have proved enough.
    """
    if settings.MEDIA_AUTH == "off" or facts is None or not facts.connection_id:
        return None
    if caller.call_connection_id in ("", facts.connection_id):
        return None
    return Refusal("connection", "x-ms-call-connection-id names another call", call_id)
