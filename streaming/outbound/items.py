"""What is said into a call: utterances, and the frames that they are sent in."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final
from uuid import UUID

from streaming.outbound.pieces import Pieces

FRAME_US: Final = 20_000


class ItemKind(StrEnum):
    """Who speaks. The values are those of `Utterance.Kind`."""

    PROMPT = "prompt"
    TALK = "talk"
    HANDLER = "handler"


class ItemState(StrEnum):
    """How far it is. The values are those of `Utterance.State`."""

    QUEUED = "queued"
    PLAYING = "playing"
    PLAYED = "played"
    STOPPED = "stopped"
    FAILED = "failed"


_OVER: Final = frozenset({ItemState.PLAYED, ItemState.STOPPED, ItemState.FAILED})


@dataclass(slots=True, kw_only=True, eq=False)
class Item:
    """One utterance on its way. Samples are counted at the call's rate.

    `survives`: after a redial it goes on where it was heard last; otherwise what was
    not heard is dropped, and with it the item, unless it is still being spoken.
    """

    id: UUID
    kind: ItemKind
    # Perhaps a person's.
    name: str = field(repr=False)
    survives: bool = True
    # It is spoken while it is heard: better a gap than a delay that grows.
    is_live: bool = False
    prompt: UUID | None = None
    command: UUID | None = None
    state: ItemState = ItemState.QUEUED
    reason: str = ""
    # When it was first heard, µs by the monotonic clock.
    heard_from_us: int | None = None
    sent: int = 0
    played: int = 0
    underruns: int = 0
    # Of live audio: samples that came too late to be heard.
    dropped: int = 0
    # No more will be written to it.
    is_whole: bool = False
    # What follows was not heard at once because its socket had gone.
    is_resumed: bool = False
    # It ended for want of a socket, and who speaks live may be heard elsewhere.
    may_go_on: bool = False
    waiting: Pieces = field(default_factory=Pieces, repr=False)

    @property
    def is_over(self) -> bool:
        """Say whether nothing of it will be heard any more."""
        return self.state in _OVER


@dataclass(slots=True, frozen=True)
class Frame:
    """20 ms on their way to be heard."""

    item: Item
    pcm: bytes = field(repr=False)
    # Samples of the item in it; what is more is padding.
    samples: int
    start_us: int
    # When it was sent, if nothing was before it: what is then learnt of the way says
    # better when it began. Else it followed the frame before it.
    sent_us: int | None = None

    @property
    def end_us(self) -> int:
        """Return when it has been heard."""
        return self.start_us + FRAME_US
