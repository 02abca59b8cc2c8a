"""Worker threads that do not keep a process from ending.

Those of `ThreadPoolExecutor` are waited for when the interpreter ends, however long:
one that hangs in a database would make of every end a kill.
"""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Executor, Future
from queue import SimpleQueue
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class DaemonPool(Executor):
    """So many threads, started with the first work."""

    def __init__(self, threads: int, name: str) -> None:
        self._work: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._is_started = self._is_closed = False
        self._lock = threading.Lock()
        self._threads = [
            threading.Thread(target=self._run, name=f"{name}-{number}", daemon=True)
            for number in range(threads)
        ]

    def submit(
        self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs
    ) -> Future[T]:
        """Have `fn` called in a thread. Raises `RuntimeError` after `shutdown`."""
        future: Future[T] = Future()

        def work() -> None:
            if not future.set_running_or_notify_cancel():
                return
            try:
                result = fn(*args, **kwargs)
            except BaseException as exc:  # noqa: BLE001 it is raised where somebody waits
                future.set_exception(exc)
            else:
                future.set_result(result)

        with self._lock:
            if self._is_closed:
                raise RuntimeError("the pool is shut down")
            if not self._is_started:
                self._is_started = True
                for thread in self._threads:
                    thread.start()
            self._work.put(work)
        return future

    def _run(self) -> None:
        while work := self._work.get():
            work()

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Take no further work. What waits is done, if the process lives on."""
        if cancel_futures:
            raise NotImplementedError("what waits is done")
        with self._lock:
            if not self._is_closed:
                self._is_closed = True
                for _ in self._threads:
                    self._work.put(None)
        if wait:
            self.join(None)

    def join(self, patience: float | None) -> None:
        """Wait until the threads have ended, for so many seconds (None: for ever)."""
        until = None if patience is None else time.monotonic() + patience
        for thread in self._threads if self._is_started else ():
            thread.join(None if until is None else max(until - time.monotonic(), 0.0))
