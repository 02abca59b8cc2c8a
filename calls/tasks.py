"""Celery tasks: thin, with ids as arguments.

What they do is in `calls.control` and `calls.reconcile`.
"""

from uuid import UUID

from celery import shared_task
from django.core.management import call_command
from django.utils import timezone

from calls import control
from calls.alarms.sweep import alarms_sweep
from calls.audit.head import log_check
from calls.audit.reaping import ends_note
from calls.board.trend import trend_note
from calls.broker import task_send
from calls.lifecycle import contexts_forget
from calls.live.heartbeat import sweep_note
from calls.reconcile import calls_reconcile


@shared_task(name="calls.send_command", acks_late=True, ignore_result=True)
def send_command(command_id: str, has_turn: bool = False) -> None:
    """Send one command; if its turn or another try is due later, come back for it.

    `has_turn`: it has waited for its turn under the rate limit already. What a former
    version queued says so by a word.
    """
    delay = control.command_send(UUID(command_id), has_turn=bool(has_turn))
    if delay is not None:
        task_send(send_command, command_id, True, countdown=delay)


@shared_task(name="calls.sweep_commands", ignore_result=True)
def sweep_commands() -> None:
    """Time out commands without evidence, and send those whose task was lost."""
    now = timezone.now()
    sweep_note()
    control.commands_sweep(now)


@shared_task(name="calls.verify_commands", ignore_result=True)
def verify_commands() -> None:
    """Ask ACS after commands of which no callback came."""
    control.commands_verify(timezone.now())


@shared_task(name="calls.reconcile", ignore_result=True)
def reconcile() -> None:
    """End the calls whose end was never announced, and forget how to answer them."""
    now = timezone.now()
    contexts_forget(now)
    calls_reconcile(now)


@shared_task(name="calls.sweep_alarms", ignore_result=True)
def sweep_alarms() -> None:
    """Raise the alarms nobody is left to see; end and close those that are over."""
    alarms_sweep(timezone.now())


@shared_task(name="calls.note_trend", ignore_result=True)
def note_trend() -> None:
    """Take a point of the dashboard's hour."""
    trend_note()


@shared_task(name="calls.reap_audit", ignore_result=True)
def reap_audit() -> None:
    """Note the ends of listening and speaking that a dead process did not."""
    ends_note(timezone.now())


@shared_task(name="calls.clear_sessions", ignore_result=True)
def clear_sessions() -> None:
    """Remove the rows of sign-ins that are over."""
    call_command("clearsessions")


@shared_task(name="calls.check_audit", ignore_result=True)
def check_audit() -> None:
    """Verify the audit log, and log its head."""
    log_check()
