"""What journals are made of, for hypothesis and for literals."""

from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID, uuid4

from hypothesis import strategies as st

from calls.journals.format import (
    NO_PARTICIPANT,
    SILENT,
    JournalHeader,
    Kind,
    encode_header,
    encode_record,
)

OPENED_AT = datetime(2026, 11, 21, 10, 0, 0, 123456, tzinfo=UTC)


def header(connection_id: UUID | None = None) -> JournalHeader:
    return JournalHeader(
        call_id=UUID(int=1),
        connection_id=connection_id or uuid4(),
        call_connection_id="06004980-19f4-465a-b630-76c371713dff",
        correlation_id=None,
        opened_at=OPENED_AT,
        node="node-a",
        pid=4242,
        software="acsstream 0.1.0",
    )


@dataclass(frozen=True)
class Content:
    """A record as somebody means it, before it is bytes."""

    kind: int
    payload: bytes
    arrival_us: int
    flags: int = 0
    participant: int = NO_PARTICIPANT
    timestamp_us: int | None = None


def encode(owner: JournalHeader, contents: list[Content]) -> list[bytes]:
    """Return a journal's bytes as a header and one item per record."""
    start, seed = encode_header(owner)
    return [start] + [
        b"".join(
            encode_record(
                seed,
                content.kind,
                content.payload,
                arrival_us=content.arrival_us,
                flags=content.flags,
                participant=content.participant,
                timestamp_us=content.timestamp_us,
            )
        )
        for content in contents
    ]


def contents() -> st.SearchStrategy[Content]:
    """Any record but PARTICIPANT, whose payload is text, up to a short packet."""
    return st.builds(
        Content,
        kind=st.sampled_from(sorted(set(Kind) - {Kind.PARTICIPANT})),
        payload=st.binary(max_size=64),
        arrival_us=st.integers(0, 2**64 - 1),
        flags=st.sampled_from([0, SILENT]),
        participant=st.integers(0, NO_PARTICIPANT),
        timestamp_us=st.none() | st.integers(-(2**63) + 1, 2**63 - 1),
    )
