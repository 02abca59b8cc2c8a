"""How long a handler keeps the event loop to itself. No Django.

In one process one thread serves every call. A handler that computes for long, or calls
what blocks, holds up all of them, and nothing can take the loop from it. So each
stretch between two `await`s is timed: then it is known who it was.
"""

import time
from collections.abc import Callable, Coroutine, Generator
from types import coroutine
from typing import Any, TypeVar

T = TypeVar("T")


@coroutine
def timed(
    work: Coroutine[Any, Any, T], note: Callable[[float], None]
) -> Generator[Any, Any, T]:
    """Await `work`, and `note` the seconds of each stretch in which it ran."""
    go_on: Callable[[Any], Any] = work.send
    told: Any = None
    while True:
        began = time.perf_counter()
        try:
            awaited = go_on(told)
        except StopIteration as done:
            result: T = done.value
            return result
        finally:
            note(time.perf_counter() - began)
        try:
            go_on, told = work.send, (yield awaited)
        except GeneratorExit:
            work.close()
            raise
        except BaseException as exc:  # noqa: BLE001 handed on
            # A cancellation, for `work` to hear of.
            go_on, told = work.throw, exc
