"""Handing work to the broker."""

import logging
from typing import TYPE_CHECKING, Any

from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

if TYPE_CHECKING:
    from celery import Task

log = logging.getLogger(__name__)


def task_send(
    task: "Task[Any, Any]",
    *args: str | bool,
    queue: str | None = None,
    countdown: float | None = None,
) -> bool:
    """Hand a task to the broker. False, and a log line, if it cannot be reached.

    It never raises: every task sent this way has a sweep that finds what was not.
    """
    try:
        # A connection of its own: the pool's would try for six seconds, and a webhook
        # has to answer fast.
        with task.app.connection_for_write(transport_options={"max_retries": 0}) as to:
            options: dict[str, Any] = {"queue": queue, "countdown": countdown}
            task.apply_async(args, retry=False, **options | {"connection": to})
    except (OperationalError, RedisError, OSError) as exc:
        log.error("task %s was not queued: %s", task.name, type(exc).__name__)
        return False
    return True
