"""Who is in one call, and what the app does to them."""

import asyncio
import uuid
from collections.abc import Callable, Coroutine
from typing import Any

from emulator import events
from emulator.calls import Call, NotPossibleError, Operation
from emulator.clock import Clock
from emulator.identities import identifier

Announce = Callable[[str, events.Event, Operation | None], None]
"""Posts a callback: its type, its data, and where it goes."""
Spawn = Callable[[Coroutine[Any, Any, None]], None]
"""Runs something in the background."""


class People:
    """The roster of one call. Whoever the app adds takes part, and says nothing."""

    def __init__(
        self, call: Call, *, clock: Clock, announce: Announce, spawn: Spawn
    ) -> None:
        self._call = call
        self._clock = clock
        self._announce = announce
        self._spawn = spawn
        self._plan = call.plan
        self._invited = [
            raw_id
            for raw_id in call.plan.participants
            if not call.outgoing or call.joined or call.plan.faults.answers(raw_id)
        ]
        self.roster = [
            raw_id
            for raw_id in self._invited
            if not any(each.joins(raw_id) for each in call.plan.actions)
        ]
        self._muted: set[str] = set()
        self._on_hold: set[str] = set()
        self._sequence = 0
        self._invitations: dict[str, asyncio.Event] = {}

    # What is known

    @property
    def anybody(self) -> bool:
        """Return whether anybody answered, or will come."""
        return bool(self._invited)

    @property
    def muted(self) -> list[str]:
        """Return the raw ids of those who are muted."""
        return [each for each in self.roster if each in self._muted]

    @property
    def on_hold(self) -> list[str]:
        """Return the raw ids of those who are on hold."""
        return [each for each in self.roster if each in self._on_hold]

    def audible(self) -> list[str]:
        """Return the raw ids of those whose voices are heard in the call."""
        quiet = {*self._muted, *self._on_hold}
        if unheard := self._plan.faults.unheard:
            quiet.update(self._plan.participants[unheard - 1 : unheard])
        return [each for each in self.roster if each not in quiet]

    def listed(self) -> list[events.Event]:
        """Return everybody as callbacks and responses list them."""
        return [self.one(each) for each in self.roster]

    def one(self, raw_id: str) -> events.Event:
        """Return one participant as callbacks and responses list it."""
        muted, on_hold = raw_id in self._muted, raw_id in self._on_hold
        return events.participant(raw_id, muted=muted, on_hold=on_hold)

    def updated(self) -> events.Event:
        """Return the data of the next ParticipantsUpdated."""
        self._sequence += 1
        return events.participants(self.listed(), self._sequence)

    # What happens

    def change(self, change: str, raw_id: str) -> None:
        """Let a participant of the plan `join` or `leave`. Raises NotPossibleError."""
        joins = change == "join"
        known = raw_id in self._invited or raw_id in self.roster
        if not known or joins == (raw_id in self.roster):
            raise NotPossibleError(f"that participant cannot {change}")
        if joins:
            self._come(raw_id)
        else:
            self._go(raw_id)

    def _come(self, raw_id: str) -> None:
        here = {*self.roster, raw_id}
        # In the order of the plan, whoever came when; then whoever was added.
        planned = [each for each in self._plan.participants if each in here]
        added = [each for each in self.roster if each not in planned]
        self.roster = list(dict.fromkeys([*planned, *added, raw_id]))
        self._changed()

    def _go(self, raw_id: str) -> None:
        self.roster = [each for each in self.roster if each != raw_id]
        self._muted.discard(raw_id)
        self._on_hold.discard(raw_id)
        self._changed()

    def _changed(self) -> None:
        if self._call.media is not None:
            self._call.media.cast.attend(self.roster, {*self._muted, *self._on_hold})
        self._announce("ParticipantsUpdated", self.updated(), None)

    # Orders from the app

    def mute(self, raw_ids: list[str]) -> None:
        """Mute participants who are here."""
        self._muted.update(raw_ids)
        self._changed()

    def hold(self, raw_id: str, *, on: bool) -> None:
        """Put a participant who is here on hold, or take them off it."""
        (self._on_hold.add if on else self._on_hold.discard)(raw_id)
        self._changed()

    def remove(self, raw_id: str, operation: Operation) -> None:
        """Remove a participant; the outcome is announced."""
        outcome = {"participant": identifier(raw_id)}
        if raw_id not in self.roster:
            failed = outcome | {"resultInformation": events.NO_SUCH_PARTICIPANT}
            self._announce("RemoveParticipantFailed", failed, operation)
            return
        done = outcome | {"resultInformation": events.OK}
        self._announce("RemoveParticipantSucceeded", done, operation)
        self._go(raw_id)

    def invite(self, raw_id: str, operation: Operation, patience: float) -> str:
        """Call somebody in; return the invitation's id. The outcome is announced."""
        invitation = str(uuid.uuid4())
        self._invitations[invitation] = asyncio.Event()
        self._spawn(self._invite(invitation, raw_id, operation, patience))
        return invitation

    async def _invite(
        self, invitation: str, raw_id: str, operation: Operation, patience: float
    ) -> None:
        outcome = {"participant": identifier(raw_id)}
        answers = self._plan.faults.answers(raw_id)
        delay = self._plan.behaviour.answer_delay if answers else patience
        cancelled = self._invitations[invitation]
        if await self._clock.wait(cancelled, delay):
            return
        del self._invitations[invitation]
        if not answers:
            failed = outcome | {"resultInformation": events.NO_ANSWER}
            self._announce("AddParticipantFailed", failed, operation)
            return
        done = outcome | {"resultInformation": events.OK}
        self._announce("AddParticipantSucceeded", done, operation)
        self._come(raw_id)

    def cancel(self, invitation: str, operation: Operation) -> bool:
        """Take an invitation back; the outcome is announced. Return whether it was."""
        cancelled = self._invitations.pop(invitation, None)
        outcome: events.Event = {"invitationId": invitation}
        if cancelled is None:
            failed = outcome | {"resultInformation": events.NO_SUCH_INVITATION}
            self._announce("CancelAddParticipantFailed", failed, operation)
            return False
        cancelled.set()
        done = outcome | {"resultInformation": events.OK}
        self._announce("CancelAddParticipantSucceeded", done, operation)
        return True
