"""A bench whose emulator runs in this process, on a clock that the test moves.

An hour of emulated time costs what happens in it. What the emulator posts is put in the
mailbox at once; media sockets are real and end in the sink.
"""

import queue
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime

from tests.control.bench import Bench, Letter, mailbox, serving, sink
from tests.emulator.manual import ManualEmulator

# Whoever answers late in a test's time should still find the call ringing.
RING_SECONDS = 120


class ByHand(Bench):
    """A bench whose time stands still until `advance`."""

    def __init__(self, emulator: ManualEmulator, public: str, media: str) -> None:
        facts = {
            "url": emulator.url,
            "access_key": emulator.access_key,
            "resource_id": emulator.resource_id,
        }
        super().__init__(facts, public, media)
        self._emulator = emulator

    def now(self) -> datetime:
        """Return the emulated date."""
        return self._emulator.now()

    def advance(self, seconds: float) -> None:
        """Move the time; return when the emulator has nothing left to do at its end."""
        self._emulator.advance(seconds)


@contextmanager
def bench_by_hand(eventgrid_query: str) -> Iterator[ByHand]:
    """Run mailbox, sink and emulator for as long as the context lasts."""
    with ExitStack() as stack:
        letters: queue.Queue[Letter] = queue.Queue()
        public = stack.enter_context(serving(mailbox(letters)))
        media = stack.enter_context(sink())
        hook = f"{public}/webhooks/eventgrid{eventgrid_query}"
        emulator = ManualEmulator(eventgrid_url=hook, ring_seconds=RING_SECONDS)
        bench = ByHand(stack.enter_context(emulator), public, media)
        bench.letters = letters
        yield bench
