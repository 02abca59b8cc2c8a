"""What a worker and a beat tell of themselves: signs of life, failures, log fields.

Imported by `acsstream.celery` for its receivers alone.
"""

import atexit
from contextlib import AbstractContextManager
from typing import Any

import structlog
from celery.signals import (
    after_task_publish,
    beat_init,
    before_task_publish,
    heartbeat_sent,
    task_failure,
    task_postrun,
    task_prerun,
    worker_process_init,
    worker_process_shutdown,
    worker_ready,
    worker_shutdown,
)
from celery.worker import state

# By task: what its first argument is, for its log lines.
FIRST_ARGUMENT = {
    "calls.finish_call": "call_id",
    "calls.send_command": "command_id",
}


# Of the tasks under way in this process, by id.
_spans: dict[str, AbstractContextManager[None]] = {}


class _Crew:
    """This process's noter, if it is a worker or beat."""

    noter: Any = None
    worker: Any = None


def _noter(kind: Any) -> Any:
    from calls.live.processes import Noter  # needs settings

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


@before_task_publish.connect
def _task_is_sent(headers: dict[str, Any], **_: object) -> None:
    """Let a task go on with the trace of whoever sent it."""
    from calls.tracing import carried_on  # needs settings

    headers.update(carried_on())


@worker_process_init.connect
def _child_begins(**_: object) -> None:
    """Trace in each process of the pool: threads do not survive a fork."""
    from calls.tracing import tracing_start  # needs settings

    tracing_start("worker")


@worker_process_shutdown.connect
def _child_ends(**_: object) -> None:
    from calls.tracing import tracing_stop  # needs settings

    tracing_stop()


@task_prerun.connect
def _task_begins(task_id: str, task: Any, args: Any, **_: object) -> None:
    from calls.tracing import span  # needs settings

    fields = {"task": task.name, "task_id": task_id}
    if args and (name := FIRST_ARGUMENT.get(task.name)):
        fields[name] = str(args[0])
    structlog.contextvars.bind_contextvars(**fields)
    if carried := getattr(task.request, "traceparent", None):
        around = span(
            task.name, kind="CONSUMER", carried={"traceparent": carried}, **fields
        )
        around.__enter__()
        _spans[task_id] = around


@task_postrun.connect
def _task_ends(task_id: str, **_: object) -> None:
    if around := _spans.pop(task_id, None):
        around.__exit__(None, None, None)
    structlog.contextvars.clear_contextvars()


@task_failure.connect
def _task_failed(sender: Any, **_: object) -> None:
    from calls.live.tallies import tally  # needs settings

    tally({f"failure|{sender.name}": 1})
