"""What one call tells the app, and that it tells nothing before CallConnected."""

import asyncio

from emulator import events
from emulator.callbacks import Callbacks
from emulator.calls import Call, Operation
from emulator.clock import Clock


class News:
    """Makes the callbacks of one call and hands them on to be delivered."""

    def __init__(
        self,
        call: Call,
        operation: Operation,
        version: str,
        *,
        clock: Clock,
        callbacks: Callbacks,
    ) -> None:
        """Tell of a call that was set up by `operation` in an API version."""
        self._call = call
        self._operation = operation
        self._version = version
        self._clock = clock
        self._callbacks = callbacks
        self._held: list[tuple[str, events.Event]] = []
        self.began = asyncio.Event()
        """Happens when CallConnected, or that there will be none, was posted."""

    def connected(self, participants: events.Event) -> None:
        """Post CallConnected and ParticipantsUpdated, and what waited for them."""
        url, behaviour = self._operation.callback_url, self._call.plan.behaviour
        data = {"resultInformation": events.OK}
        pair = [
            self._event("CallConnected", data, self._operation),
            self._event("ParticipantsUpdated", participants, None),
        ]
        if behaviour.callback_order == "reversed":
            pair.reverse()
        batches = [pair] if behaviour.callback_batch else [[each] for each in pair]
        for batch in batches:
            self._callbacks.post(url, *batch)
        self.release()

    def release(self) -> None:
        """Post what waited for CallConnected, and from now on everything at once."""
        self.began.set()
        for url, event in self._held:
            self._callbacks.post(url, event)
        self._held.clear()

    def announce(
        self, kind: str, data: events.Event, operation: Operation | None = None
    ) -> None:
        """Post one callback; nothing is said before CallConnected."""
        url = (operation or self._operation).callback_url
        if kind == "CallDisconnected":
            operation = self._operation
        event = self._event(kind, data, operation)
        if self.began.is_set():
            self._callbacks.post(url, event)
        else:
            self._held.append((url, event))

    def _event(
        self, kind: str, data: events.Event, operation: Operation | None
    ) -> events.Event:
        return events.cloud_event(
            kind,
            data,
            ids=self._call.ids,
            at=self._clock.now(),
            version=self._version,
            operation_context=operation.context if operation else None,
            digits=self._call.plan.behaviour.callback_digits,
        )
