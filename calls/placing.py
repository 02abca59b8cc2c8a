"""Calls that begin here: placed to somebody, or joined while they run.

A call and the command that brings it about are written in one transaction. What is
wrong is refused in words before anything is kept.
"""

from collections.abc import Callable
from functools import partial
from uuid import UUID, uuid4

from django.conf import settings
from django.contrib.auth.models import User
from django.db import IntegrityError, transaction

from calls import control
from calls.models import (
    Call,
    CallState,
    CommandKind,
    StreamCommand,
    StreamingProfile,
)
from calls.models.states import Direction
from calls.orders import ORDERS, Arguments, CommandRefused

Ask = Callable[..., StreamCommand]

LOCATOR_NAMES = {
    "server_call_id": "Server call",
    "group_call_id": "Group call",
    "room_id": "Room",
}
SHOWN_ID = 24


def call_place(
    *,
    target: str,
    caller_id: str,
    profile: StreamingProfile | None,
    asked_by: User,
    call_id: UUID | None = None,
    ask: Ask | None = None,
) -> Call:
    """Ring `target` (a number or raw id) and return the call, ringing.

    A phone is rung from `caller_id`, one of `settings.CALLER_IDS` if those are set.
    Without a profile, the default one is used. Raises `CommandRefused`,
    and then nothing is kept. With the `call_id` of an earlier request its call is
    returned and nobody is rung again. `ask` is `control.command_ask` in the name of
    `asked_by`, if more than that is to be done.
    """
    kind = CommandKind.PLACE_CALL
    arguments = ORDERS[kind].read(Call(), {"target": target, "caller_id": caller_id})
    target, number = arguments["target"], arguments.get("caller_id", "")
    if number and settings.CALLER_IDS and number not in settings.CALLER_IDS:
        raise CommandRefused("That caller id is not one of ours.")
    return _make(
        call_id or uuid4(),
        kind,
        arguments,
        ask or partial(control.command_ask, asked_by=asked_by),
        profile or StreamingProfile.default(),
        from_raw_id=f"4:{number}" if number else "",
        to_raw_id=target,
    )


def call_connect(
    *,
    locator_kind: str,
    locator_id: str,
    profile: StreamingProfile | None,
    asked_by: User,
    call_id: UUID | None = None,
    ask: Ask | None = None,
) -> Call:
    """Join a running call and return it, as `call_place` does.

    `locator_kind` is `server_call_id`, `group_call_id` or `room_id`. Who is in it is
    not known until ACS tells, so it is named by what it was found by.
    """
    kind = CommandKind.CONNECT_CALL
    given = {"kind": locator_kind, "id": locator_id}
    arguments = ORDERS[kind].read(Call(), given)
    name = arguments["id"]
    short = name if len(name) <= SHOWN_ID else f"{name[:SHOWN_ID]}…"
    is_server_call = arguments["kind"] == "server_call_id"
    return _make(
        call_id or uuid4(),
        kind,
        arguments,
        ask or partial(control.command_ask, asked_by=asked_by),
        profile or StreamingProfile.default(),
        caller_name=f"{LOCATOR_NAMES[arguments['kind']]} {short}",
        server_call_id=name if is_server_call else "",
    )


def _make(
    call_id: UUID,
    kind: CommandKind,
    arguments: Arguments,
    ask: Ask,
    profile: StreamingProfile,
    **facts: str,
) -> Call:
    """Write the call and its command down; the same `call_id` makes one call only."""
    call = Call(
        pk=call_id, direction=Direction.OUTBOUND, state=CallState.RINGING, **facts
    )
    call.stream_as(profile)
    try:
        with transaction.atomic():
            call.save(force_insert=True)
            ask(call=call, kind=kind, arguments=arguments)
    except IntegrityError:
        known = Call.objects.filter(pk=call_id).first()
        if known is None:
            raise
        return known
    return call
