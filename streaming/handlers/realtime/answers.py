"""What the model says: its items on their way to be heard, and what of them was."""

from collections.abc import Iterator
from dataclasses import dataclass

from streaming.handlers.interface import Line, Saying
from streaming.handlers.realtime.resampling import SERVICE_RATE, Resampler


@dataclass(slots=True, eq=False)
class Said:
    """One item of the model. `session` is the one whose service knows it.

    `is_whole`: no more audio of it comes. `is_lost`: because the service went away.
    """

    item_id: str
    response_id: str
    session: int
    number: int
    saying: Saying
    resampler: Resampler
    text: str = ""
    received: int = 0
    start_us: int = 0
    is_whole: bool = False
    is_lost: bool = False

    @property
    def received_ms(self) -> int:
        """Return how much audio of it came."""
        return self.received * 1000 // (SERVICE_RATE * 2)

    def write(self, pcm: bytes) -> bool:
        """Let audio be heard; return whether there was room for it."""
        self.received += len(pcm)
        ready = self.resampler.convert(pcm)
        return self.saying.write(ready) == len(ready)

    def finish(self) -> None:
        """Say that no more audio comes."""
        if not self.is_whole:
            self.is_whole = True
            self.saying.write(self.resampler.convert(b"", is_last=True))
            self.saying.finish()


class Answers:
    """The items that are on their way to be heard, in order."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self._items: dict[str, Said] = {}
        self._numbers = 0

    def __iter__(self) -> Iterator[Said]:
        return iter([*self._items.values()])

    @property
    def is_silent(self) -> bool:
        """Say whether nothing is on its way."""
        return not self._items

    def next_number(self) -> int:
        """Return the number of the call's next piece of transcript."""
        self._numbers += 1
        return self._numbers

    def get(self, item_id: str) -> Said | None:
        """Return an item that is on its way."""
        return self._items.get(item_id)

    def begin(self, item_id: str, response_id: str, session: int) -> Said:
        """Let an item be heard after those before it."""
        said = Said(
            item_id,
            response_id,
            session,
            self.next_number(),
            self._line.begin_audio(name="realtime"),
            Resampler(SERVICE_RATE, self._line.rate),
        )
        self._items[item_id] = said
        return said

    def drop(self, said: Said) -> None:
        """Forget an item: it was heard, or cut."""
        self._items.pop(said.item_id, None)

    def note_begun(self) -> None:
        """Take note of when what is heard now began."""
        for said in self._items.values():
            if not said.start_us and said.saying.played_ms:
                said.start_us = self._line.now_us() - said.saying.played_ms * 1000


def heard_part(text: str, heard_ms: int, whole_ms: int) -> str:
    """Return the words that were heard to their end, if all take the same time."""
    if heard_ms >= whole_ms:
        return text
    reach = len(text) * max(0, heard_ms) // whole_ms
    if reach < len(text) and not text[reach].isspace():
        reach = max(text.rfind(" ", 0, reach), 0)
    return text[:reach].rstrip()
