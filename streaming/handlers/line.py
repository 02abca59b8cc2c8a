"""A handler's way into its call. No Django."""

from collections.abc import Callable, Container
from typing import Final, Protocol
from uuid import UUID, uuid4

from calls import identity
from calls.drafts import SegmentDraft
from streaming.handlers.interface import Cut, Saying
from streaming.handlers.loading import HandlerFault
from streaming.outbound import Item, ItemKind

# More things to say than this, one after the other, are never heard to their end.
MAX_SAYINGS: Final = 200
MAX_ORDERS: Final = 20
MAX_SEGMENTS: Final = 20_000
ONE_WAY: Final = "it speaks, and the profile does not let audio be sent"


class PromptMissing(HandlerFault, LookupError):  # noqa: N818 told to people
    """A prompt that is not in the library, or whose audio is gone."""


class PromptAudio(bytes):
    """A prompt's audio, which says whose it is: sent as it is, it counts as played."""

    prompt: UUID | None = None

    @classmethod
    def of(cls, prompt: UUID, pcm: bytes) -> "PromptAudio":
        """Return the audio of a prompt."""
        audio = cls(pcm)
        audio.prompt = prompt
        return audio


class Mouth(Protocol):
    """What a line needs of a call's `Speaker`."""

    @property
    def rate(self) -> int:
        """Return the rate of all that is written."""

    def begin(self, *, kind: ItemKind, name: str, prompt: UUID | None = None) -> Item:
        """Begin an utterance whose audio comes bit by bit."""

    def write(self, item: Item, pcm: bytes) -> int:
        """Add audio to an utterance; return how many bytes found room."""

    def finish(self, item: Item) -> None:
        """End an utterance: what was written is all of it."""

    def stop(self, reason: str, only: Container[UUID] | None = None) -> list[Item]:
        """Let nothing more be heard, of `only` these items; return what was cut."""


class Access(Protocol):
    """What a line needs of its recorder: its call's voice and clock, the database.

    Nothing but `prompt` and `order` waits.
    """

    @property
    def call_id(self) -> UUID:
        """Return our key of the call."""

    @property
    def speaker(self) -> Mouth | None:
        """Return what speaks into the call; None if nothing can."""

    def now_us(self) -> int:
        """Return what ACS's capture clock shows now."""

    def keep(self, segment: SegmentDraft) -> None:
        """Keep a piece of a transcript."""

    async def prompt(self, name: str, rate: int) -> bytes | None:
        """Return a prompt's audio; None if there is none of that name."""

    async def order(self, kind: str, why: str, arguments: dict[str, str]) -> str:
        """Write an order down; return why it makes no sense now, or nothing."""


class Spoken:
    """A `Saying` on its way."""

    __slots__ = ("_speaker", "item")

    def __init__(self, speaker: Mouth, item: Item) -> None:
        self._speaker = speaker
        self.item = item

    @property
    def played_ms(self) -> int:
        """Return how much of it was heard, as far as can be known."""
        return self.item.played * 1000 // self._speaker.rate

    @property
    def is_over(self) -> bool:
        """Say whether nothing of it will be heard any more."""
        return self.item.is_over

    def write(self, pcm: bytes) -> int:
        """Add audio; return how many bytes found room."""
        return self._speaker.write(self.item, pcm)

    def finish(self) -> None:
        """Say that all of it is written."""
        self._speaker.finish(self.item)


class Unheard:
    """A `Saying` that nobody will hear: it is over before it begins."""

    played_ms: Final = 0
    is_over: Final = True

    def write(self, pcm: bytes) -> int:
        """Take nothing."""
        return 0

    def finish(self) -> None:
        """Do nothing."""


class CallLine:
    """The `Line` of one call. It outlives the call's sockets."""

    def __init__(
        self, name: str, access: Access, report: Callable[[str], None]
    ) -> None:
        self.report = report
        self.rate = 0
        self._name = name
        self._access = access
        # Numbers of transcripts begin anew with each handler of a call.
        self._id = uuid4()
        self._sayings: list[Spoken] = []
        self._orders = 0
        self._numbers: set[int] = set()
        self._is_over = False

    @property
    def call_id(self) -> UUID:
        """Return our key of the call."""
        return self._access.call_id

    def send_audio(self, pcm: bytes, *, name: str = "") -> Saying:
        """Have whole audio heard after what is being said."""
        saying = self._begin(name, pcm.prompt if isinstance(pcm, PromptAudio) else None)
        saying.write(pcm)
        saying.finish()
        return saying

    def begin_audio(self, *, name: str = "") -> Saying:
        """Begin to say something whose audio comes bit by bit."""
        return self._begin(name, None)

    def _begin(self, name: str, prompt: UUID | None) -> Saying:
        speaker = self._speaker()
        if speaker is None:
            return Unheard()
        self._sayings = [one for one in self._sayings if not one.is_over]
        if len(self._sayings) >= MAX_SAYINGS:
            self.report(f"it has {MAX_SAYINGS} things to say at once; more are dropped")
            return Unheard()
        item = speaker.begin(
            kind=ItemKind.HANDLER, name=name or self._name, prompt=prompt
        )
        saying = Spoken(speaker, item)
        self._sayings.append(saying)
        return saying

    def _speaker(self) -> Mouth | None:
        if self._is_over:
            return None
        speaker = self._access.speaker
        if speaker is None:
            self.report(ONE_WAY)
        elif speaker.rate != self.rate:
            self.report("it speaks, and the call's audio has another rate now")
            return None
        return speaker

    def stop_audio(self, reason: str = "") -> list[Cut]:
        """Be silent at once; what waits is dropped, at ACS as well.

        What others say into the call, an operator or their prompt, is heard on.
        """
        speaker = None if self._is_over else self._access.speaker
        if speaker is None:
            return []
        mine = {one.item.id for one in self._sayings}
        stopped = speaker.stop(reason or "the handler stopped it", mine)
        items = {item.id for item in stopped}
        cut = [one for one in self._sayings if one.item.id in items]
        return [Cut(one, one.played_ms) for one in cut]

    def now_us(self) -> int:
        """Return the call's capture clock now, µs since 1970."""
        return self._access.now_us()

    def transcript(
        self,
        *,
        number: int,
        raw_id: str,
        text: str,
        start_us: int,
        duration_us: int = 0,
        is_cut: bool = False,
    ) -> None:
        """Keep what was said, in words. The same `number` again replaces it."""
        self._numbers.add(number)
        if len(self._numbers) > MAX_SEGMENTS:
            self._numbers.discard(number)
            self.report(f"it has told {MAX_SEGMENTS} pieces of text; more are dropped")
            return
        self._access.keep(
            SegmentDraft(
                id=identity.segment_id(self._id, number),
                call_id=self.call_id,
                raw_id=raw_id,
                source="realtime",
                start_us=start_us,
                duration_us=duration_us,
                text=text,
                is_cut=is_cut,
            )
        )

    async def prompt(self, name: str) -> bytes:
        """Return a prompt's audio at the line's rate. Raises LookupError."""
        pcm = await self._access.prompt(name, self.rate)
        if pcm is None:
            raise PromptMissing(f"there is no prompt “{name}” that can be read")
        return pcm

    async def order(self, kind: str, why: str, **arguments: str) -> str:
        """Give an order about the call; return why it makes no sense now."""
        self._orders += 1
        if self._orders > MAX_ORDERS:
            self.report(f"it has given {MAX_ORDERS} orders; more are refused")
            return "This handler has given too many orders."
        return await self._access.order(kind, why, arguments)

    def close(self) -> None:
        """Let what was written be heard, and nothing more: others wait behind it."""
        self._is_over = True
        for saying in self._sayings:
            saying.finish()
