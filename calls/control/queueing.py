"""Handing orders to the broker."""

from uuid import UUID

from calls.broker import task_send


def command_queue(command_id: UUID) -> None:
    """Have a worker send a command. If the broker is down, a sweep will."""
    from calls.tasks import send_command  # tasks imports this package

    task_send(send_command, str(command_id))
