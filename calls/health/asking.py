"""Asking a part that may hang: in a thread of its own, for so long and no longer.

A probe that waits for a database that waits for a network tells nobody anything. So
each part is asked by one thread at a time. Who cannot wait for it gets the fault that
it does not answer, and the next probe meets the same thread instead of a second one.
"""

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from concurrent.futures import wait as futures_wait
from dataclasses import dataclass, field

from django.db import connections

from calls.health.findings import Finding

# Of every probe: two seconds less what the rest of an answer takes.
PATIENCE = 1.5


@dataclass(slots=True)
class Part:
    """Something that can be asked for its state.

    `silent` is what is found of it while it does not answer. An answer is given again
    for `keep` seconds before it is asked anew.
    """

    name: str
    ask: Callable[[], Finding]
    silent: Finding
    keep: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _asked: Future[Finding] | None = None
    _known_at: float = 0.0

    def begin(self) -> Future[Finding]:
        """Return what is being found out, or was a moment ago."""
        with self._lock:
            asked = self._asked
            if asked and (not asked.done() or time.monotonic() < self._known_at):
                return asked
            self._asked = asked = Future()
            threading.Thread(
                target=self._answer, args=(asked,), name=f"ask-{self.name}", daemon=True
            ).start()
            return asked

    def _answer(self, asked: Future[Finding]) -> None:
        try:
            found = self.ask()
        except Exception as exc:  # noqa: BLE001 a probe tells of every fault
            found = self.silent.because(type(exc).__name__)
        finally:
            # The thread ends, and with it nobody would close its connection.
            connections.close_all()
        self._known_at = time.monotonic() + self.keep
        asked.set_result(found)


def ask_all(parts: Sequence[Part], patience: float = PATIENCE) -> list[Finding]:
    """Return what is found of every part, in order, within `patience` seconds."""
    asked = [part.begin() for part in parts]
    futures_wait(asked, patience)
    return [
        one.result() if one.done() else part.silent
        for part, one in zip(parts, asked, strict=True)
    ]
