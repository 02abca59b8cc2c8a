"""Tasks beside a socket or a process: how they end."""

import asyncio
from typing import Any, Final

# A task that was cancelled has so long to tidy up before it is cancelled again.
AGAIN_SECONDS: Final = 1.0


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
