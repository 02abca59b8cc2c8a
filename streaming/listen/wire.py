"""What ingest and web processes say to each other so that somebody can listen.

Redis carries it by PUBLISH, packed by msgpack:

    acsstream:listen              web → every ingest process: `Ask`
    acsstream:listen:call:<call>  ingest → every web process that listens: `Batch`
    acsstream:listen:web:<web>    ingest → the one web process that asked: `Past`

Published, not sent to a group of the channel layer: ingest pays for a call once,
however many listen, nothing is stored anywhere for one who is slow, and a Redis that
restarts ends nobody's socket (as for all of them, see `streaming.browser_socket`).
"""

from typing import TypeAlias
from uuid import UUID

import msgspec

ASKS = "acsstream:listen"
# A web process says so often which calls it hears; ingest forgets it after a while.
HEAR_SECONDS = 1.0
FORGET_SECONDS = 15.0
# All packets of a call that came in so long are one message.
BATCH_SECONDS = 0.06
# Without any packets, this often: for who waits, silence and death must differ.
TICK_SECONDS = 0.5


def call_channel(call_id: UUID | str) -> str:
    """Return where the packets of a call are published as they come."""
    return f"acsstream:listen:call:{call_id}"


def web_channel(web_id: UUID | str) -> str:
    """Return where a web process is answered."""
    return f"acsstream:listen:web:{web_id}"


class Hear(msgspec.Struct, tag="hear", frozen=True):
    """A web process hears a call; said again every `HEAR_SECONDS`."""

    web: str
    call: str


class Leave(msgspec.Struct, tag="leave", frozen=True):
    """A web process hears a call no more."""

    web: str
    call: str


class Read(msgspec.Struct, tag="read", frozen=True, kw_only=True):
    """Somebody wants the next piece of a call's past.

    Either from where the last piece ended, `cursor`, by connection the offset in its
    journal; or from `from_us`, a capture time in µs since 1970.
    """

    web: str
    call: str
    ask: str
    # None: whichever node has journals of the call.
    node: str | None = None
    cursor: dict[str, int] | None = None
    from_us: int = 0
    # How much arrival time one piece covers at most.
    span_us: int = 1_500_000


Ask: TypeAlias = Hear | Leave | Read


class Packet(msgspec.Struct, array_like=True, gc=False):
    """One packet: the numbers of its connection and track in its message, and itself.

    Packets of a connection are in the order they arrived, in journals and batches
    alike; `arrival_us` never falls. `pcm` is empty where ACS said silent.
    """

    connection: int
    track: int
    arrival_us: int
    stamp_us: int
    samples: int
    pcm: bytes


class Heard(msgspec.Struct, array_like=True):
    """One connection in a batch, and where its packets before the batch end."""

    connection: str
    # Arrival of the last packet that is not in this batch but before it; 0: none is.
    base_us: int


class Batch(msgspec.Struct, tag="batch", kw_only=True):
    """What came of a call since the last batch; empty when nothing did."""

    process: str
    sent_at: float
    origin_us: int | None
    # Where what was captured so far ends.
    edge_us: int | None
    sockets: int
    connections: list[Heard]
    tracks: list[tuple[str, int]]
    packets: list[Packet]
    # Packets that are missing because Redis did not take them fast enough.
    lost: int = 0


class Past(msgspec.Struct, tag="past", kw_only=True):
    """A piece of a call's past, from the journals of one node."""

    ask: str
    node: str
    cursor: dict[str, int]
    connections: list[str]
    tracks: list[tuple[str, int]]
    packets: list[Packet]
    # By connection, the arrival of the last packet that was looked at, told or not.
    reached: dict[str, int]
    # Nothing more is on the disk for now.
    is_end: bool
    error: str = ""


ask_decoder: msgspec.msgpack.Decoder[Ask] = msgspec.msgpack.Decoder(Ask)
told_decoder: msgspec.msgpack.Decoder[Batch | Past] = msgspec.msgpack.Decoder(
    Batch | Past
)
encode = msgspec.msgpack.Encoder().encode
