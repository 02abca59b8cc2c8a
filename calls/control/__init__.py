"""Orders to ACS, from asking to evidence.

    queued ──▶ sent ──▶ confirmed | failed | timed out
       ▲────────┘ another try is due

A command is a row first, a Celery task second, a request third. It is confirmed only by
evidence: a callback that names it, media that really starts or ends, or ACS saying that
nothing was left to do. Every step is a conditional UPDATE, so of a worker, a callback
and a sweep that meet, one wins and the others change nothing.

What was only concluded (a time-out, an order nobody answered, a call that ended first)
is overruled by proof that comes late. What ACS itself refused is not.
"""

from calls.control.asking import command_ask, command_refusal
from calls.control.sending import MAX_ATTEMPTS, SENDING_SECONDS, command_send
from calls.control.settling import call_end, command_settle, streaming_seen
from calls.control.sweeping import commands_sweep, commands_time_out, commands_verify
from calls.orders import CommandRefused

__all__ = [
    "MAX_ATTEMPTS",
    "SENDING_SECONDS",
    "CommandRefused",
    "call_end",
    "command_ask",
    "command_refusal",
    "command_send",
    "command_settle",
    "commands_sweep",
    "commands_time_out",
    "commands_verify",
    "streaming_seen",
]
