"""What there is to know of one kind of command."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from calls.acs import Acs, AcsRefused, OrderMark
from calls.batches import storable
from calls.models import (
    Call,
    CallState,
    CommandKind,
    CommandState,
    StreamCommand,
    StreamingState,
    TranscriptionState,
)

Arguments = dict[str, str]
Given = Mapping[str, Any]


# Everything that any order may be told; a form has other fields as well.
NAMES = frozenset(
    {
        *("participant", "target", "caller_id", "reason", "locale", "kind", "id"),
        *("prompt", "interrupts"),
    }
)
LONGEST = 2000


def given_of(values: Given) -> Arguments:
    """Return what of a form's fields orders read, fit to be stored and noted.

    Too long a text is cut: no order takes one, so it is refused in words all the same.
    """
    return {
        name: storable(str(value), LONGEST + 1)
        for name, value in values.items()
        if name in NAMES
    }


class CommandRefused(Exception):  # noqa: N818 the operator's to read, not an error
    """A command that makes no sense for the call now; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What a call shows because of an order.

    `column` is the state once asked, and once that has settled; it follows only while
    it still shows what asking set. `wanted` and `reason` are the columns beside it.
    """

    column: str
    wanted: str
    reason: str
    is_wanted: bool
    asked: StreamingState | TranscriptionState
    confirmed: StreamingState | TranscriptionState
    failed: StreamingState | TranscriptionState


def no_arguments(_: Call, __: Given) -> Arguments:
    """Return the arguments of an order that takes none."""
    return {}


def nothing_known(_: Acs, __: StreamCommand) -> str:
    """Return no evidence: ACS cannot be asked about this order."""
    return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One kind of command: who may give it, what is sent, and what proves it.

    - `permission` is what an operator needs to give it.
    - `read` turns what the operator gave into arguments, or raises `CommandRefused`.
    - `refusal` says why it makes no sense for a call as it stands; empty if it does.
    - `evidence` asks ACS and returns what shows that nothing is left to do; empty if
      there is. It is asked before sending, and again when no callback comes.
    - `send` is the request. What it returns is proof by itself; usually empty.
    - `asks_at_once`: no callback ever tells, so ACS is asked right after sending.
    - `is_repeatable`: ACS knows a repeated request by its id and does it once.
    - `proofs` and `disproofs` are the callbacks that settle it. They must carry its id
      as `operationContext`, unless any such callback of the call will do.
    - `media_proof` is what media must be seen to do to settle it.
    - `at_call_end` is how it ends if the call ends first.
    - `excludes` are kinds that must not be under way when it is asked; with
      `per_participant`, only for the same participant.
    - `shown` is what the call shows because of it.
    - `is_urgent`: it does not wait for its turn under the rate limit, others do.
    - `by_hand`: an operator may give it about a call that is there.
    - `takes_time` are seconds it may lawfully take beyond the usual limit: people are
      rung.
    - `told` is who carries it out. Only what ACS is told counts under its rate limit.
    """

    permission: str
    read: Callable[[Call, Given], Arguments] = no_arguments
    refusal: Callable[[Call, Arguments], str]
    evidence: Callable[[Acs, StreamCommand], str] = nothing_known
    send: Callable[[Acs, StreamCommand], str | None]
    asks_at_once: bool = False
    is_repeatable: bool = True
    proofs: frozenset[str] = frozenset()
    disproofs: frozenset[str] = frozenset()
    needs_context: bool = True
    media_proof: StreamingState | None = None
    at_call_end: tuple[CommandState, str] = (
        CommandState.FAILED,
        "The call ended first.",
    )
    excludes: tuple[CommandKind, ...] = ()
    per_participant: bool = False
    shown: Shown | None = None
    is_urgent: bool = False
    by_hand: bool = True
    takes_time: int = 0
    told: Literal["ACS", "Ingest"] = "ACS"

    @property
    def can_be_asked(self) -> bool:
        """Say whether ACS can be asked if the order was carried out."""
        return self.evidence is not nothing_known


def under_way(
    order: Order, arguments: Arguments, others: Iterable[StreamCommand]
) -> str:
    """Return the refusal if one of a call's open commands excludes an order.

    Empty if none does. The first of `others` that excludes it is named.
    """
    name = "participant" if "participant" in arguments else "target"
    for other in others:
        is_same = not order.per_participant or (
            other.arguments.get(name) == arguments[name]
        )
        if other.kind in order.excludes and is_same:
            return f"“{other.get_kind_display()}” is still under way."
    return ""


def mark_of(command: StreamCommand) -> OrderMark:
    """Return what marks a command in ACS's eyes: the same for each of its tries."""
    return OrderMark(context=str(command.id), first_sent=command.asked_at)


def connection_id_of(call: Call) -> str:
    """Return ACS's id of a call. Raises `AcsRefused` if it is not known yet."""
    if not call.connection_id:
        raise AcsRefused("ACS has not told us the connection id of this call yet.")
    return call.connection_id


def not_connected(call: Call, _: Arguments | None = None) -> str:
    """Say why a call cannot take orders; empty if it can."""
    if not call.is_live:
        return "The call has ended."
    connected = call.state == CallState.CONNECTED and call.connection_id
    return "" if connected else "The call is not connected yet."
