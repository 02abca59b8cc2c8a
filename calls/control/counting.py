"""Counting orders to ACS when they are settled: how they ended, how long they took."""

from functools import partial

from django.db import transaction

from calls.live.tallies import tally, timed
from calls.models import CommandState, StreamCommand


def command_count(command: StreamCommand) -> None:
    """Count a settled command once that is committed."""
    counts = _counts(command)
    transaction.on_commit(partial(tally, counts), robust=True)


def _counts(command: StreamCommand) -> dict[str, float]:
    counts: dict[str, float] = {f"command|{command.kind}|{command.state}": 1}
    if command.sent_at is None:
        return counts
    counts |= timed("sent", (command.sent_at - command.asked_at).total_seconds())
    if command.state == CommandState.CONFIRMED and command.settled_at is not None:
        took = command.settled_at - command.sent_at
        counts |= timed("confirmed", took.total_seconds())
    return counts
