"""The handler: a call on one side, the service on the other."""

import asyncio
import time
from array import array
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from contextlib import suppress
from typing import Any, Final

from streaming.handlers.interface import Handler, HeardAudio, Line
from streaming.handlers.realtime import events
from streaming.handlers.realtime.conversation import Conversation
from streaming.handlers.realtime.events import OutputItem
from streaming.handlers.realtime.link import Link, first_of
from streaming.handlers.realtime.mixing import Mixer
from streaming.handlers.realtime.options import RealtimeOptions
from streaming.handlers.realtime.service import Service
from streaming.handlers.realtime.tools import Toolbox
from streaming.protocol import MIXED

TICK_SECONDS: Final = 0.02
# So long a goodbye, or what is said before a transfer, may be.
GOODBYE_SECONDS: Final = 20.0
# How fast it is forgotten who spoke, per packet of 20 ms.
FADING: Final = 0.98


class Realtime(Handler):
    """Lets a model hear and answer the call, by a service as OpenAI's or Azure's."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        super().__init__(options)
        self._options = RealtimeOptions.parse(options)
        self._toolbox = Toolbox(self._options.tools)
        self._service = Service.configured(self._options.model)
        self._relays = self._options.relays()
        self._loudness: dict[str, float] = {}
        self._tasks: set[asyncio.Task[Any]] = set()
        self._part: Callable[[], Awaitable[str]] | None = None
        self._part_by = 0.0
        self._is_goodbye = False
        # An order of the model was taken that ends the call.
        self._is_parted = False

    # What the call tells.

    async def on_open(self, line: Line) -> None:
        """Begin to relay."""
        self._line = line
        self._conversation = Conversation(
            line, self._options, call_tools=self._call_tools
        )
        self._conversation.speaker = self._loudest
        self._conversation.interrupted = self._stay
        self._link = Link(
            self._service,
            self._options,
            self._conversation,
            rate=line.rate,
            tools=self._toolbox.schemas(self._options.transfers),
        )
        self._mixer = Mixer(line.rate // 50 * 2, self._relays)
        self._main = asyncio.create_task(self._run(), name="realtime")

    async def on_audio(self, audio: HeardAudio) -> None:
        """Relay 20 ms."""
        if self._main.done():
            # Raises what went wrong, if anything did.
            self._main.result()
            return
        if not self._relays(audio.raw_id):
            return
        self._note_loudness(audio)
        for slot in self._mixer.hear(audio):
            self._link.outbox.put_audio(slot)

    async def on_speech_started(self, raw_id: str) -> None:
        """Let the caller interrupt."""
        if self._options.barge_in != "service" and self._relays(raw_id):
            self._conversation.interrupt(by_service=False)

    async def on_close(self, reason: str) -> None:
        """End: the call is over."""
        tasks = [self._main, *self._tasks]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._conversation.close()

    def _note_loudness(self, audio: HeardAudio) -> None:
        level = 0.0
        if not audio.is_silent:
            samples = array("h", audio.pcm)
            level = float(sum(map(abs, samples[::8])))
        before = self._loudness.get(audio.raw_id, 0.0)
        self._loudness[audio.raw_id] = before * FADING + level

    def _loudest(self) -> str:
        return max(self._loudness, key=self._loudness.__getitem__, default=MIXED)

    # The life of the relay.

    async def _run(self) -> None:
        ended = await first_of(self._relay(), self._mind())
        if ended:
            self._line.report(f"the conversation ended: {ended}")
        if not await self._has_parted():
            await self._give_up()

    async def _has_parted(self) -> bool:
        """Do what the model still has to do with the call; say whether that ends it."""
        self._is_parted = False
        if self._tasks:
            # Bounded by the time that a tool has, and an order.
            await asyncio.wait(self._tasks)
        if self._part is not None:
            await self.heard()
            await self._do_part()
        return self._is_parted

    async def _relay(self) -> str:
        try:
            async with asyncio.timeout(self._options.max_seconds or None):
                trouble = await self._link.run()
        except TimeoutError:
            return ""
        return str(trouble)

    async def _mind(self) -> str:
        while True:
            await asyncio.sleep(TICK_SECONDS)
            self._conversation.tick()
            if self._part is not None and self._is_parting_due():
                # In a task of its own: it is not half done when the service goes.
                await asyncio.shield(self._begin(self._do_part()))

    def _begin(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _give_up(self) -> None:
        """End the conversation as the profile says, because of trouble or of time."""
        options = self._options
        await self.heard()
        if options.give_up_prompt:
            await self._play(options.give_up_prompt)
        if options.give_up_then == "hang_up":
            await self._order("hang_up")
        elif options.give_up_then == "transfer":
            await self._order("transfer", target=options.give_up_target)

    async def _play(self, name: str) -> None:
        try:
            pcm = await self._line.prompt(name)
        except LookupError:
            self._line.report(f"there is no prompt “{name}” to end with")
            return
        saying = self._line.send_audio(pcm, name=name)
        await _until(lambda: saying.is_over)

    async def _order(self, kind: str, **arguments: str) -> None:
        if kind == "transfer" and self.caller_id:
            arguments["caller_id"] = self.caller_id
        why = "The conversation with the model has ended."
        refusal = await self._line.order(kind, why, **arguments)
        if refusal:
            self._line.report(f"it could not end the call: {refusal}")

    # The desk of the tools.

    @property
    def line(self) -> Line:
        """Return the call's line."""
        return self._line

    @property
    def transfers(self) -> Mapping[str, str]:
        """Return where a call may be transferred to: raw ids by name."""
        return self._options.transfers

    @property
    def caller_id(self) -> str:
        """Return the number of ours that a transfer to a phone shows."""
        return self._options.caller_id

    async def heard(self) -> None:
        """Wait until all that the model said was heard."""
        with suppress(TimeoutError):
            async with asyncio.timeout(GOODBYE_SECONDS):
                await _until(self._is_heard)

    def _is_heard(self) -> bool:
        self._conversation.tick()
        return self._conversation.answers.is_silent

    async def order(self, kind: str, why: str, **arguments: str) -> str:
        """Give an order that ends the call for us; return why it was refused."""
        refusal = await self._line.order(kind, why, **arguments)
        self._is_parted = self._is_parted or not refusal
        return refusal

    def part(self, order: Callable[[], Awaitable[str]]) -> None:
        """Do something once the model's goodbye was heard."""
        self._part = order
        self._part_by = time.monotonic() + GOODBYE_SECONDS

    def _stay(self) -> None:
        """Do not part: the caller has interrupted the goodbye."""
        if self._part is not None and self._is_goodbye:
            self._part = None
            text = "The caller interrupted your goodbye. The call goes on."
            self._conversation.send(events.message("system", text))

    def _is_parting_due(self) -> bool:
        is_said = self._is_goodbye and self._conversation.is_settled
        return is_said or time.monotonic() > self._part_by

    async def _do_part(self) -> None:
        order, self._part = self._part, None
        if order is None:
            # The caller has interrupted the goodbye.
            return
        refusal = await order()
        self._is_parted = self._is_parted or not refusal
        if refusal:
            self._line.report(f"it could not end the call: {refusal}")

    def _call_tools(self, response_id: str, calls: list[OutputItem]) -> None:
        said = any(
            each.response_id == response_id for each in self._conversation.answers
        )
        self._begin(self._use(calls, has_spoken=said))

    async def _use(self, calls: list[OutputItem], *, has_spoken: bool) -> None:
        conversation, session = self._conversation, self._conversation.session
        for call in calls:
            name, arguments = call.name or "", call.arguments or ""
            output = await self._toolbox.call(name, arguments, self)
            if conversation.session != session:
                # The service that asked is gone, and knows nothing of the call.
                return
            conversation.send(events.output(call.call_id or "", output))
        if self._part is None or not has_spoken:
            conversation.respond()
        self._is_goodbye = self._part is not None


async def _until(claim: Callable[[], bool]) -> None:
    while not claim():  # noqa: ASYNC110 - what is heard is known by looking
        await asyncio.sleep(TICK_SECONDS)
