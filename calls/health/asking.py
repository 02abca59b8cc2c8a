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
from typing import Generic, TypeVar

from django.db import connections

from calls.health.findings import Finding

T = TypeVar("T")

# Of every probe: two seconds less what the rest of an answer takes.
PATIENCE = 1.5


@dataclass(slots=True)
class Source(Generic[T]):
    """Something that can be asked, and may hang.

    `silent` stands for its answer while there is none. An answer is given again for
    `keep` seconds before it is asked anew.
    """

    name: str
    ask: Callable[[], T]
    silent: T
    keep: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _asked: Future[T] | None = None
    _known_at: float = 0.0

    def begin(self) -> Future[T]:
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

    def _answer(self, asked: Future[T]) -> None:
        fault, found = None, self.silent
        try:
            found = self.found()
        except Exception as exc:  # noqa: BLE001 it is raised where somebody waits
            fault = exc
        finally:
            # The thread ends, and with it nobody would close its connection.
            connections.close_all()
        self._known_at = time.monotonic() + self.keep
        if fault:
            asked.set_exception(fault)
        else:
            asked.set_result(found)

    def found(self) -> T:
        """Ask."""
        return self.ask()


class Part(Source[Finding]):
    """A part of the installation that can be asked for its state."""

    __slots__ = ()

    def found(self) -> Finding:
        """Ask; a fault is a finding, too."""
        try:
            return self.ask()
        except Exception as exc:  # noqa: BLE001 a probe tells of every fault
            return self.silent.because(type(exc).__name__)


def ask_all(parts: Sequence[Source[T]], patience: float = PATIENCE) -> list[T]:
    """Return what each part answers, in order, within `patience` seconds.

    Raises what asking raised.
    """
    asked = [part.begin() for part in parts]
    futures_wait(asked, patience)
    return [
        one.result() if one.done() else part.silent
        for part, one in zip(parts, asked, strict=True)
    ]
