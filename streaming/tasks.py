"""Tasks beside a socket or a process: how they end, and what ends with them."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from functools import wraps
from typing import Any, Final, ParamSpec

log = logging.getLogger(__name__)

# A task that was cancelled has so long to tidy up before it is cancelled again.
AGAIN_SECONDS: Final = 1.0
# Something on our side went wrong: dial again. Private, as Daphne sends no other.
OUR_FAULT: Final = 4011


P = ParamSpec("P")
# What goes on to its end, until it is there: asyncio itself holds tasks weakly.
_ending: set[asyncio.Task[None]] = set()


def to_the_end(
    work: Callable[P, Coroutine[Any, Any, None]],
) -> Callable[P, Coroutine[Any, Any, None]]:
    """Make `work` go on although whoever awaits it is cancelled.

    A server gives up a socket that takes long to let go; what it held must be let go
    of all the same.
    """

    @wraps(work)
    async def ending(*args: P.args, **kwargs: P.kwargs) -> None:
        task = asyncio.create_task(work(*args, **kwargs))
        _ending.add(task)
        task.add_done_callback(_ending.discard)
        await asyncio.shield(task)

    return ending


async def endings(seconds: float) -> None:
    """Wait for what goes to its end although nobody waits for it, at most so long.

    A process that ends would end it, too.
    """
    if _ending:
        await asyncio.wait(_ending, timeout=seconds)


async def tasks_end(*tasks: asyncio.Task[Any] | None) -> None:
    """Cancel tasks until they are done; what they raised is not raised here.

    Once is not enough: before Python 3.12 `asyncio.wait_for`, in which redis-py writes,
    swallows a cancellation that comes as the write ends. The task that asks is left.
    """
    here = asyncio.current_task()
    pending = {task for task in tasks if task is not None and task is not here}
    ended = set(pending)
    while pending:
        for task in pending:
            task.cancel()
        _, pending = await asyncio.wait(pending, timeout=AGAIN_SECONDS)
    for task in ended:
        # Looked at, so that asyncio does not complain of it.
        if not task.cancelled():
            task.exception()


async def watched(
    work: Callable[[], Awaitable[None]],
    close: Callable[..., Awaitable[None]],
    what: str,
) -> None:
    """Do what watches over a socket; should it fail, close the socket.

    Whoever nobody watches any more must not go on.
    """
    try:
        await work()
    except Exception:
        log.exception("%s met a fault: its socket is closed", what)
        await close(code=OUR_FAULT)


async def outlive(work: Awaitable[None]) -> None:
    """Await `work`; recording must go on whatever fault is in it."""
    try:
        await work
    except Exception:
        # The recorder's tasks are a process edge: nobody else would hear of it.
        log.exception("the recorder met a fault and goes on")
