"""Celery tasks: thin, with ids as arguments.

What they do is in `calls.control` and `calls.reconcile`.
"""

from uuid import UUID

from celery import shared_task
from django.utils import timezone

from calls import control
from calls.heartbeat import sweep_note
from calls.reconcile import calls_reconcile


@shared_task(name="calls.send_command", acks_late=True, ignore_result=True)
def send_command(command_id: str) -> None:
    """Send one command; if another try is due, come back for it."""
    delay = control.command_send(UUID(command_id))
    if delay is not None:
        control.task_send(send_command, command_id, countdown=delay)


@shared_task(name="calls.sweep_commands", ignore_result=True)
def sweep_commands() -> None:
    """Time out commands without evidence, and send those whose task was lost."""
    now = timezone.now()
    sweep_note(now.timestamp())
    control.commands_sweep(now)


@shared_task(name="calls.reconcile", ignore_result=True)
def reconcile() -> None:
    """End the calls whose end was never announced."""
    calls_reconcile(timezone.now())


# Registers `calls.finish_call` and `calls.sweep_calls` with the worker.
from calls import finishing_tasks  # noqa: E402,F401
