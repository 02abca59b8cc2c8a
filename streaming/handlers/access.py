"""What a handler's line needs of its call, the database and the storage."""

import logging
import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Final
from uuid import UUID

from calls.control import command_ask
from calls.drafts import ArchiveBatch, SegmentDraft
from calls.models import Call, CommandKind, Prompt
from calls.orders import CommandRefused
from calls.transcripts.hearing import Piece
from calls.transcripts.replay import remark_of
from streaming.archive import Archive
from streaming.handlers.line import PromptAudio
from streaming.outbound import Speaker
from streaming.outbound.prompts import PromptError, prompt_pcm

if TYPE_CHECKING:
    from streaming.call_audio import CallAudio

log = logging.getLogger(__name__)

PROMPT_TIMEOUT: Final = 10.0
ORDER_TIMEOUT: Final = 10.0
# What a handler may order; it is nobody, so nobody's permission is asked.
ORDERS: Final = {"hang_up": CommandKind.HANG_UP, "transfer": CommandKind.TRANSFER}


class CallAccess:
    """One call of the recorder, as its handler's line sees it.

    `wake` has rows written soon; `tell` tells who looks at the call what was said.
    """

    def __init__(
        self,
        call: "CallAudio",
        archive: Archive,
        wake: Callable[[], None],
        tell: Callable[[Piece], None],
    ) -> None:
        self._call = call
        self._archive = archive
        self._wake = wake
        self._tell = tell

    @property
    def call_id(self) -> UUID:
        """Return our key of the call."""
        return self._call.call_id

    @property
    def speaker(self) -> Speaker | None:
        """Return what speaks into the call; None if nothing can."""
        return self._call.speaker

    def now_us(self) -> int:
        """Return what ACS's capture clock shows now."""
        return self._call.clock.at(self._call.at_us(time.monotonic_ns() // 1000))

    def keep(self, segment: SegmentDraft) -> None:
        """Keep a piece of a transcript, and show it.

        It is in the journal first: no frame of ACS tells it again.
        """
        self._call.remark(remark_of(segment))
        self._tell(Piece(segment, is_final=True))
        self._archive.put(ArchiveBatch(segments=[segment]))
        self._wake()

    async def prompt(self, name: str, rate: int) -> bytes | None:
        """Return a prompt's audio; None if there is none of that name."""
        found = await self._archive.ask(partial(prompt_audio, name), PROMPT_TIMEOUT)
        if found is None:
            return None
        key, audio = found
        try:
            return PromptAudio.of(key, await prompt_pcm(audio, rate))
        except PromptError as exc:
            log.error("call %s: its handler has no prompt: %s", self.call_id, exc)
            return None

    async def order(self, kind: str, why: str, arguments: dict[str, str]) -> str:
        """Write an order down; return why it makes no sense now, or nothing."""
        give = partial(order_give, self.call_id, kind, why, arguments)
        answer = await self._archive.ask(give, ORDER_TIMEOUT)
        return "The database does not answer." if answer is None else answer


def prompt_audio(name: str) -> tuple[UUID, dict[int, str]] | None:
    """Return a prompt of the library: its key, and where its audio is, by rate."""
    prompt = Prompt.objects.filter(name=name, is_withdrawn=False).first()
    if prompt is None:
        return None
    return prompt.pk, {16_000: prompt.audio_16k, 24_000: prompt.audio_24k}


def order_give(call_id: UUID, kind: str, why: str, arguments: dict[str, str]) -> str:
    """Write an order of a handler down; return why it was refused, or nothing."""
    if kind not in ORDERS:
        return f"A handler cannot order “{kind}”."
    call = Call.objects.filter(pk=call_id).first()
    if call is None:
        return "The call is not known."
    try:
        command_ask(call=call, kind=ORDERS[kind], why=why, arguments=arguments)
    except CommandRefused as refused:
        return str(refused)
    return ""
