"""The emulator in a thread of this process, on a clock that the test moves.

An hour of emulated time costs what happens in it. What the emulator posts is put in the
mailbox at once; media sockets are real and end in the sink. Time limits of the network
stay on the wall's clock.
"""

import asyncio
import queue
import threading
from collections.abc import Coroutine, Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime
from typing import Any, TypeVar

from emulator.manualclock import ManualClock
from emulator.options import Behaviour, Settings
from emulator.server import Emulator
from emulator.speech import load
from tests.control.bench import PATIENCE, Bench, Letter, mailbox, serving, sink

T = TypeVar("T")


class ByHand(Bench):
    """A bench whose time stands still until `advance`."""

    def __init__(
        self, running: "_Running", settings: Settings, public: str, media: str
    ) -> None:
        facts = {
            "url": running.emulator.url,
            "access_key": settings.access_key,
            "resource_id": settings.resource_id,
        }
        super().__init__(facts, public, media)
        self._running = running

    def now(self) -> datetime:
        """Return the emulated date."""
        return self._running.clock.now()

    def advance(self, seconds: float) -> None:
        """Move the time; return when the emulator has nothing left to do at its end."""
        self._running.do(self._running.clock.advance(seconds))


class _Running:
    """A loop in a thread, and the emulator on it."""

    def __init__(self, settings: Settings, behaviour: Behaviour) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self.clock = ManualClock()
        self.emulator = Emulator(settings, behaviour, load(None), clock=self.clock)

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(PATIENCE)

    @contextmanager
    def up(self) -> Iterator["_Running"]:
        try:
            self.do(self.emulator.__aenter__())
            try:
                yield self
            finally:
                self.do(self.emulator.__aexit__(None, None, None))
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()


@contextmanager
def bench_by_hand(eventgrid_query: str) -> Iterator[ByHand]:
    """Run mailbox, sink and emulator for as long as the context lasts."""
    with ExitStack() as stack:
        letters: queue.Queue[Letter] = queue.Queue()
        public = stack.enter_context(serving(mailbox(letters)))
        media = stack.enter_context(sink())
        hook = f"{public}/webhooks/eventgrid{eventgrid_query}"
        settings = Settings(port=0, eventgrid_url=hook)
        # Whoever hangs up at the end of an example is not waited for.
        running = _Running(settings, Behaviour(ring_seconds=120))
        bench = ByHand(stack.enter_context(running.up()), settings, public, media)
        bench.letters = letters
        yield bench
