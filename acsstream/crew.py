"""What a worker and a beat tell of themselves: signs of life, failures, log fields.

Imported by `acsstream.celery` for its receivers alone.
"""

import atexit
from typing import Any

import structlog
from celery.signals import (
    after_task_publish,
    beat_init,
    heartbeat_sent,
    task_failure,
    task_postrun,
    task_prerun,
    worker_ready,
    worker_shutdown,
)
from celery.worker import state

# By task: what its first argument is, for its log lines.
FIRST_ARGUMENT = {
    "calls.finish_call": "call_id",
    "calls.send_command": "command_id",
}


class _Crew:
    """This process's noter, if it is a worker or beat."""

    noter: Any = None
    worker: Any = None


def _noter(kind: Any) -> Any:
    from calls.processes import Noter  # needs settings

    return Noter(kind)


@worker_ready.connect
def _worker_is_ready(sender: Any, **_: object) -> None:
    _Crew.worker, _Crew.noter = sender, _noter("worker")
    _worker_lives()


@heartbeat_sent.connect
def _worker_lives(**_: object) -> None:
    """Note the worker: called every two seconds by what fetches its tasks."""
    if _Crew.worker is None:
        return
    _Crew.noter.note(
        queues=sorted(_Crew.worker.app.amqp.queues.consume_from),
        busy=len(state.active_requests),
        slots=_Crew.worker.controller.concurrency,
        tasks=dict(state.total_count),
    )


@worker_shutdown.connect
def _worker_leaves(**_: object) -> None:
    if _Crew.noter is not None:
        _Crew.noter.leave()


@beat_init.connect
def _beat_begins(**_: object) -> None:
    _Crew.noter = _noter("beat")
    # Beat sends no signal when it ends.
    atexit.register(_Crew.noter.leave)


@after_task_publish.connect
def _beat_lives(**_: object) -> None:
    """Note beat when something it sent has reached the broker."""
    if _Crew.noter is not None and _Crew.worker is None:
        _Crew.noter.note()


@task_prerun.connect
def _task_begins(task_id: str, task: Any, args: Any, **_: object) -> None:
    fields = {"task": task.name, "task_id": task_id}
    if args and (name := FIRST_ARGUMENT.get(task.name)):
        fields[name] = str(args[0])
    structlog.contextvars.bind_contextvars(**fields)


@task_postrun.connect
def _task_ends(**_: object) -> None:
    structlog.contextvars.clear_contextvars()


@task_failure.connect
def _task_failed(sender: Any, **_: object) -> None:
    from calls.tallies import tally  # needs settings

    tally({f"failure|{sender.name}": 1})
