"""What people at the console say live: frames in order, tolerant of what got lost."""

import asyncio
from collections import OrderedDict
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from calls.live.speaking import Talk
from streaming.outbound.items import Item, ItemKind
from streaming.outbound.speaker import Speaker

# Whoever said nothing for so long, not even that it was the last, has gone.
GONE_SECONDS: Final = 2.0
# Of a frame; and people who speak at once in one process.
MOST_BYTES: Final = 96_000
MOST_TALKERS: Final = 200
# Utterances that ended and are remembered: whatever still comes of them is not heard.
MOST_ENDED: Final = 10_000


@dataclass(slots=True)
class _Talker:
    speaker: Speaker
    item: Item
    number: int
    gone: asyncio.TimerHandle


class Talking:
    """Who is speaking live into the calls of this process."""

    def __init__(self) -> None:
        self._talkers: dict[UUID, _Talker] = {}
        self._ended: OrderedDict[UUID, None] = OrderedDict()

    def has(self, utterance: UUID) -> bool:
        """Say whether somebody is speaking."""
        return utterance in self._talkers

    def take(self, speaker: Speaker, utterance: UUID, talk: Talk) -> None:
        """Say what came; what comes late or twice is left out.

        So is what comes once an utterance has ended, by whatever: it does not begin
        again.
        """
        if utterance in self._ended:
            return
        talker = self._talkers.get(utterance)
        if talker is None:
            if (talk.number and talk.is_last) or len(self._talkers) >= MOST_TALKERS:
                return
            talker = self._begin(speaker, utterance, talk)
        elif talk.number <= talker.number:
            return
        talker.number = talk.number
        talker.gone.cancel()
        self._say(talker, talk)
        if talk.is_last or talker.item.is_over:
            self._end(utterance)
        else:
            talker.gone = self._soon(utterance)

    def _say(self, talker: _Talker, talk: Talk) -> None:
        speaker, item = talker.speaker, talker.item
        if item.is_over:
            # Somebody stopped it: that is told.
            return
        if talk.rate != speaker.rate:
            speaker.fail(item, "it came at another rate than the call's")
        elif len(talk.pcm) % 2 or len(talk.pcm) > MOST_BYTES:
            speaker.fail(item, "it was no audio")
        else:
            speaker.write(item, talk.pcm)

    def _begin(self, speaker: Speaker, utterance: UUID, talk: Talk) -> _Talker:
        item = speaker.begin(
            kind=ItemKind.TALK,
            name=talk.name,
            id=utterance,
            survives=False,
            is_live=True,
        )
        talker = _Talker(speaker, item, talk.number, self._soon(utterance))
        self._talkers[utterance] = talker
        return talker

    def _soon(self, utterance: UUID) -> asyncio.TimerHandle:
        loop = asyncio.get_running_loop()
        return loop.call_later(GONE_SECONDS, self._end, utterance)

    def _end(self, utterance: UUID) -> None:
        talker = self._talkers.pop(utterance, None)
        if talker is not None:
            self._ended[utterance] = None
            if len(self._ended) > MOST_ENDED:
                self._ended.popitem(last=False)
            talker.gone.cancel()
            if not talker.item.is_over:
                talker.speaker.finish(talker.item)

    def end(self) -> None:
        """Let nobody say anything more."""
        for utterance in list(self._talkers):
            self._end(utterance)
