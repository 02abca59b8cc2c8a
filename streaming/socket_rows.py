"""What a socket of ACS says of itself in rows, whatever it brings. No Django."""

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Protocol
from uuid import UUID

from calls.drafts import ConnectionDraft

if TYPE_CHECKING:
    from streaming.call_audio import CallAudio


@dataclass(frozen=True, slots=True)
class Opening:
    """Who opened a socket, as far as the handshake tells."""

    call_connection_id: str
    correlation_id: str
    remote_address: str
    opened_at: datetime
    # How long before that its request had come.
    waited_us: int = 0


@dataclass(slots=True)
class Counts:
    """What came over one socket."""

    packets: int = 0
    bytes: int = 0
    last_packet_us: int = 0
    # Kept as they came, because they say nothing or were the reason to close.
    malformed: int = 0
    too_big: int = 0
    unplaced: int = 0
    last_fault: str = ""
    close_code: int | None = None
    close_reason: str = ""
    closed_at: datetime | None = None


class SocketSession(Protocol):
    """What sessions of both kinds know of their socket."""

    id: UUID
    call: "CallAudio"
    opening: Opening
    counts: Counts

    @property
    def messages(self) -> int:
        """Return the number of messages received, of whatever kind."""

    @property
    def unknown(self) -> int:
        """Return the number of frames of kinds we do not read."""


def socket_draft(
    session: SocketSession, *, process_id: UUID, node: str
) -> ConnectionDraft:
    """Return the row of a socket, without what only one kind of session knows."""
    counts, opening = session.counts, session.opening
    return ConnectionDraft(
        id=session.id,
        call_id=session.call.call_id,
        call_connection_id=opening.call_connection_id,
        correlation_id=opening.correlation_id,
        process_id=process_id,
        node=node,
        remote_address=opening.remote_address,
        opened_at=opening.opened_at,
        messages=session.messages,
        malformed=counts.malformed,
        unknown=session.unknown,
        last_fault=counts.last_fault,
        closed_at=counts.closed_at,
        close_code=counts.close_code,
        close_reason=counts.close_reason,
    )
