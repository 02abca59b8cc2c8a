"""One handler in one call: a task of its own behind a bounded inbox. No Django.

Recording never waits for it, whatever it does: a handler that is slow loses audio, one
that raises is ended, one that holds up the loop is named. What cannot be had in one
process is protection from the last of these; it is measured and raises an alarm.
"""

import asyncio
import logging
import time
import traceback
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from enum import StrEnum
from typing import Any, Final

from calls.handler_names import HANDLER_EVENT
from streaming.handlers.inbox import HeardTone, Inbox
from streaming.handlers.interface import Handler, HeardAudio
from streaming.handlers.line import Access, CallLine
from streaming.handlers.loading import HandlerFault, handler_of
from streaming.handlers.speech import SpeechDetector, SpeechOptions
from streaming.handlers.stretches import timed

log = logging.getLogger(__name__)

# A stretch of this many seconds is heard by every caller of the process.
MAX_STRETCH: Final = 0.2
# Trouble that passes is told for so many seconds.
TOLD_SECONDS: Final = 60.0
MAX_TROUBLES: Final = 20
# What it has for `on_close`, and to give way once it is cancelled.
CLOSE_SECONDS: Final = 5.0
GIVE_WAY_SECONDS: Final = 1.0

Remark = Callable[[Mapping[str, Any]], None]
Load = Callable[[str, Mapping[str, Any]], Awaitable[Handler]]


class HandlerState(StrEnum):
    """How far a handler is."""

    WAITING = "waiting"
    RUNNING = "running"
    ENDED = "ended"
    FAILED = "failed"


class Running:
    """A call's handler, from the call's first metadata to its last socket's end.

    `remark` puts a note into the call's journal; `wake` is called when there is trouble
    that somebody should hear of now.
    """

    def __init__(
        self,
        name: str,
        options: Mapping[str, Any],
        access: Access,
        *,
        remark: Remark,
        wake: Callable[[], None],
        load: Load = handler_of,
    ) -> None:
        self.name = name
        self.state = HandlerState.WAITING
        # Frames it took, and what it never heard; seconds of its longest stretch.
        self.frames = 0
        self.longest = 0.0
        self._line = CallLine(name, access, self.report)
        self._options = options
        self._load = load
        self._remark = remark
        self._wake = wake
        self._inbox = Inbox()
        self._handler: Handler | None = None
        self._speech = SpeechOptions()
        self._detectors: dict[str, SpeechDetector] | None = None
        self._task: asyncio.Task[None] | None = None
        self._why = ""
        self._fault = ""
        # Trouble that passes: until when it is told, by a monotonic clock.
        self._troubles: dict[str, float] = {}

    # What is known of it.

    @property
    def dropped(self) -> int:
        """Return how many frames and keys it was too slow for."""
        return self._inbox.dropped

    @property
    def is_over(self) -> bool:
        """Say whether it hears nothing any more."""
        return self.state in (HandlerState.ENDED, HandlerState.FAILED)

    @property
    def is_idle(self) -> bool:
        """Say whether it has taken all it was handed."""
        return self._inbox.is_idle

    def trouble(self, now: float) -> str:
        """Return in words what is wrong with it now; empty if nothing is."""
        if self._fault:
            return self._fault
        self._troubles = {
            words: until for words, until in self._troubles.items() if until > now
        }
        return next(reversed(self._troubles), "")

    def remark(self, what: str, **more: Any) -> dict[str, Any]:
        """Return a note for a journal: what happened to it, and its figures."""
        return {
            "event": HANDLER_EVENT,
            "what": what,
            "name": self.name,
            "state": self.state.value,
            "frames": self.frames,
            "dropped": self.dropped,
            "longest_ms": round(self.longest * 1000),
        } | more

    def report(self, trouble: str) -> None:
        """Let somebody know of trouble that passes, in words."""
        is_news = self._tell(f"The handler “{self.name}” says: {trouble}")
        if is_news:
            log.warning("call %s: handler %s has trouble", self._id, self.name)

    def _tell(self, words: str) -> bool:
        now = time.monotonic()
        is_news = self._troubles.pop(words, 0.0) <= now
        self._troubles[words] = now + TOLD_SECONDS
        if len(self._troubles) > MAX_TROUBLES:
            del self._troubles[next(iter(self._troubles))]
        if is_news:
            self._wake()
        return is_news

    @property
    def _id(self) -> object:
        return self._line.call_id

    # What it hears. Nothing here waits.

    def begin(self, rate: int) -> None:
        """Let it begin, once: the call's audio is known to have this rate."""
        if self._task is None and not self.is_over and rate:
            self._line.rate = rate
            self._remark(self.remark("began", rate=rate))
            self._task = asyncio.create_task(self._run(), name=f"handler {self.name}")

    def hear(
        self,
        raw_id: str,
        rate: int,
        arrived_us: int,
        stamp_us: int | None,
        pcm: bytes,
        silent: bool,
    ) -> None:
        """Hand over a packet of somebody else's. Called for each of them."""
        if rate != self._line.rate and not self._is_first(rate):
            return
        self._inbox.put((arrived_us, raw_id, stamp_us, pcm, silent))

    def _is_first(self, rate: int) -> bool:
        """Begin with a packet that comes before all metadata; else it is of no use."""
        if self.is_over:
            return False
        if self._task is None and rate:
            self.begin(rate)
            return True
        self._inbox.dropped += 1
        return False

    def press(self, tone: str, raw_id: str) -> None:
        """Hand over a pressed key, as it is also where it is masked."""
        self._inbox.press(HeardTone(tone, raw_id))

    # Its life.

    async def end(self, reason: str) -> None:
        """Let it hear what waits and close; cancel it if that takes long."""
        self._why = self._why or reason
        self._inbox.close()
        task = self._task
        if task is None:
            self.state = HandlerState.ENDED
            return
        await asyncio.wait({task}, timeout=CLOSE_SECONDS)
        if task.done():
            return
        self._failed(f"it was not done within {CLOSE_SECONDS:g} s of the end")
        task.cancel()
        await asyncio.wait({task}, timeout=GIVE_WAY_SECONDS)
        if not task.done():
            log.error("call %s: handler %s does not give way", self._id, self.name)

    async def _run(self) -> None:
        try:
            await self._live()
        except HandlerFault as fault:
            self._failed(str(fault))
        except (Exception, SystemExit) as exc:  # noqa: BLE001 somebody else's code
            self._failed(_in_words(exc))
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            self._failed("it cancelled itself")
        finally:
            self._inbox.clear()
            self._line.close()
        if self._fault:
            await self._part()

    async def _live(self) -> None:
        handler = self._handler = await self._load(self.name, self._options)
        if type(handler).on_speech_started is not Handler.on_speech_started:
            self._speech, self._detectors = _speech(self._options), {}
        self.state = HandlerState.RUNNING
        await self._do(handler.on_open(self._line))
        detectors, note = self._detectors, self._note_stretch
        while (heard := await self._inbox.next()) is not None:
            if type(heard) is HeardTone:
                await self._do(handler.on_dtmf(heard.tone, heard.raw_id))
            elif type(heard) is HeardAudio:
                self.frames += 1
                if detectors is not None and self._is_onset(detectors, heard):
                    await self._do(handler.on_speech_started(heard.raw_id))
                await timed(handler.on_audio(heard), note)
        await self._do(handler.on_close(self._why))
        if not self._fault:
            self.state = HandlerState.ENDED
            self._remark(self.remark("ended", why=self._why))

    def _is_onset(
        self, detectors: dict[str, SpeechDetector], audio: HeardAudio
    ) -> bool:
        detector = detectors.get(audio.raw_id)
        if detector is None:
            detector = SpeechDetector(self._line.rate, self._speech)
            detectors[audio.raw_id] = detector
        return detector.take(audio.pcm)

    async def _part(self) -> None:
        """Let a handler that failed give back what it holds; its last chance."""
        if self._handler is None:
            return
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                await self._do(self._handler.on_close(self._fault))
        except (Exception, SystemExit):  # noqa: BLE001 somebody else's code
            log.warning("call %s: handler %s failed twice", self._id, self.name)

    async def _do(self, work: Coroutine[Any, Any, None]) -> None:
        await timed(work, self._note_stretch)

    def _note_stretch(self, seconds: float) -> None:
        if seconds > self.longest:
            self.longest = seconds
        if seconds >= MAX_STRETCH:
            self._tell(
                f"The handler “{self.name}” held up every call of its process, for"
                f" {seconds * 1000:.0f} ms."
            )

    def _failed(self, why: str) -> None:
        self.state = HandlerState.FAILED
        self._fault = f"The handler “{self.name}” has ended: {why}."
        log.error("call %s: handler %s has ended: %s", self._id, self.name, why)
        self._remark(self.remark("failed", why=why))
        self._wake()


def _speech(options: Mapping[str, Any]) -> SpeechOptions:
    try:
        return SpeechOptions.of(options)
    except ValueError as exc:
        raise HandlerFault(f"its options make no sense: {exc}") from exc


def _in_words(exc: BaseException) -> str:
    """Return what an exception is and where; its own words may be of the call."""
    frames = traceback.extract_tb(exc.__traceback__)
    where = f" in {frames[-1].name}, line {frames[-1].lineno}" if frames else ""
    return f"{type(exc).__name__}{where}"
