"""Who may open a media or a transcription socket, decided before the upgrade.

ACS sends no Origin and has no session; it shows a token (RS256, made for our
resource) and knows the unguessable secret of the call's URL. The token proves "ACS,
for this resource", the secret proves "this call", and `x-ms-call-connection-id` and
`x-ms-call-correlation-id` must agree with what ACS told us of the call. Browsers never
share this stack.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from uuid import UUID

from django.conf import settings

from calls import identity
from calls.doors import tokens
from calls.doors.capability import call_id_of
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
    status: HTTPStatus = HTTPStatus.FORBIDDEN


# What sockets are refused for: of these here, for want of room, and of preflight's.
KINDS = (
    "connection",
    "crowd",
    "ended",
    "probe",
    "room",
    "secret",
    *(f"token_{kind}" for kind in tokens.REFUSALS),
)

CROWDED = Refusal(
    "crowd",
    "its source holds as many sockets as it may",
    status=HTTPStatus.TOO_MANY_REQUESTS,
)


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
            # One byte more than a token may have: cut, it would be another token.
            return headers.get(name.encode(), b"").decode("latin-1")[: 2 * 8192 + 8]

        return cls(
            secret,
            header("authorization"),
            header("x-ms-call-connection-id")[:128],
            header("x-ms-call-correlation-id")[:128],
        )


async def call_of(caller: Caller) -> UUID | Refusal:
    """Return the call a handshake is for, or why it is refused.

    Needs no database. The secret comes first: who has none costs us no signature and
    no key. With authentication off any path is taken, and the call is the one that
    `x-ms-call-connection-id` names.
    """
    call_id = call_id_of(caller.secret)
    if settings.MEDIA_AUTH == "off":
        return call_id or identity.call_id(caller.call_connection_id or caller.secret)
    if call_id is None:
        return Refusal("secret", "the secret in the path is not one of ours")
    try:
        await tokens.verify_async(tokens.bearer(caller.authorization))
    except tokens.TokenRefused as exc:
        reason = f"its token was refused: {exc}"
        if settings.MEDIA_AUTH == "log_only":
            log.warning("call %s: media socket taken although %s", call_id, reason)
            return call_id
        kind = f"token_{exc.kind}"
        return Refusal(kind, reason, call_id, HTTPStatus.UNAUTHORIZED)
    return call_id


def connection_fault(
    caller: Caller, call_id: UUID, facts: CallFacts | None
) -> Refusal | None:
    """Say if a handshake comes after its call, or names another than ACS told us of.

    Unknown (the answer's response is not in yet, or the database is silent) is no
    fault: secret and token have proved enough. With `log_only` a fault is logged, and
    none to refuse for.
    """
    if settings.MEDIA_AUTH == "off" or facts is None:
        return None
    fault = _connection_fault(caller, call_id, facts)
    if fault is None or settings.MEDIA_AUTH != "log_only":
        return fault
    log.warning("call %s: media socket taken although %s", call_id, fault.reason)
    return None


def _connection_fault(
    caller: Caller, call_id: UUID, facts: CallFacts
) -> Refusal | None:
    if facts.is_secret_dead:
        return Refusal("ended", "its call has ended; the secret died with it", call_id)
    named = {
        "x-ms-call-connection-id": (caller.call_connection_id, facts.connection_id),
        "x-ms-call-correlation-id": (caller.correlation_id, facts.correlation_id),
    }
    for header, (given, known) in named.items():
        if given and known and given.lower() != known.lower():
            return Refusal("connection", f"{header} names another call", call_id)
    return None
