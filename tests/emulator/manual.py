"""An emulator in a thread of this process, on a clock that the test moves.

    with ManualEmulator(eventgrid_url=...) as emulator:
        call = emulator.ring(options={"packets": "sparse"})
        emulator.advance(0)  # IncomingCall is delivered and answered
        ...                  # the app answers through the REST API
        emulator.advance(0.5)
        emulator.report(call)["state"]

Every method may be called from any thread, and returns when the emulator is idle: its
callbacks and its Event Grid events have been answered. So whatever answers them must
not be the thread that calls. Limits: see `emulator.manualclock`. Of the app's requests,
those that come while time is moved are served, but not waited for; a callback that is
not accepted is tried again only when time is moved further.
"""

import asyncio
import threading
from collections.abc import Coroutine
from datetime import datetime
from types import TracebackType
from typing import Any, Self, TypeVar

from emulator.calls import OVER, Call, Ending
from emulator.events import ENDED_BY_CALLER
from emulator.manualclock import ManualClock
from emulator.options import Behaviour, Settings
from emulator.planning import parse_action, parse_rest_fault
from emulator.server import Emulator
from emulator.speech import Speech, load
from emulator.switchboard import Switchboard

PATIENCE = 60.0
"""Wall seconds after which the emulator hangs, and a test fails."""
LAST_STEPS = 60
"""Steps of ten seconds that the last callbacks have to be delivered."""

T = TypeVar("T")


class ManualEmulator:
    """Runs from `with` on. Options are settings and behaviours, by their names."""

    def __init__(self, *, speech: Speech | None = None, **options: Any) -> None:
        known = Settings.__dataclass_fields__
        own = {name: value for name, value in options.items() if name in known}
        rest = {name: value for name, value in options.items() if name not in known}
        self._settings = Settings.parse({"port": 0, **own})
        self._behaviour = Behaviour.parse(
            {"packets": "none", "transcripts": "none", **rest}
        )
        self._speech = speech or load(None)
        self._started = threading.Event()
        self._thread = threading.Thread(target=self._run, name="emulator")
        self._error: BaseException | None = None
        self._loop: asyncio.AbstractEventLoop
        self._emulator: Emulator
        self._clock: ManualClock
        self._stop: asyncio.Event

    def __enter__(self) -> Self:
        self._thread.start()
        self._started.wait()
        if self._error is not None:
            self._thread.join()
            raise self._error
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()
        if self._error is not None and error is None:
            raise self._error

    # What a test knows and does

    @property
    def url(self) -> str:
        return self._emulator.url

    @property
    def access_key(self) -> str:
        return self._settings.access_key

    @property
    def resource_id(self) -> str:
        return self._settings.resource_id

    def seconds(self) -> float:
        """Return how far the clock was moved."""
        return self._clock.seconds()

    def now(self) -> datetime:
        """Return the emulated date, as callbacks and time stamps have it."""
        return self._clock.now()

    def advance(self, seconds: float) -> None:
        """Move the time; return when the emulator is idle again."""
        self._do(self._clock.advance(seconds))

    def ring(self, **plan: Any) -> str:
        """Ring an incoming call; return its id."""
        call = self._do(self._ring(plan))
        self.advance(0)
        return call.call_id

    def context(self, call_id: str) -> str:
        """Return the incomingCallContext of a call."""
        return self._board.calls[call_id].context

    def report(self, call_id: str) -> dict[str, Any]:
        """Return what the control API says of a call, by either of its ids."""
        return self._do(self._report(call_id))

    def reports(self) -> list[dict[str, Any]]:
        """Return what the control API says of every call."""
        return [self.report(each) for each in list(self._board.calls)]

    def act(self, call_id: str, do: str, **arguments: Any) -> None:
        """Make something happen in a call. Raises `NotPossibleError`."""
        self._do(self._act(call_id, {"do": do, **arguments}))
        self.advance(0)

    def plan_outgoing(self, **plan: Any) -> None:
        """Say how calls go that the app places from now on."""
        self._do(self._plan_outgoing(plan))

    def fail_rest(self, operation: str, **fault: Any) -> None:
        """Let the next requests of an operation go wrong."""
        self._do(self._fail_rest({"operation": operation, **fault}))

    def forget_rest_faults(self) -> None:
        """Let no request go wrong that has not yet."""
        self._do(self._forget_rest_faults())

    def effects(self) -> list[dict[str, Any]]:
        """Return every effect of every request so far."""
        return self._board.ledger.effects_report()

    # In the emulator's own thread

    def _do(self, work: Coroutine[Any, Any, T]) -> T:
        if threading.current_thread() is self._thread:
            raise AssertionError("the emulator's thread cannot wait for itself")
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(PATIENCE)

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as exc:  # noqa: BLE001 - raised again in the test's thread
            self._error = exc
        finally:
            self._started.set()

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        self._clock = ManualClock()
        made = Emulator(
            self._settings, self._behaviour, self._speech, clock=self._clock
        )
        async with made as self._emulator:
            self._started.set()
            await self._stop.wait()
            await self._end_everything()

    async def _end_everything(self) -> None:
        """Hang up, and move the time until the last callback was delivered."""
        calls = list(self._board.calls.values())
        for call in calls:
            if call.state not in OVER:
                self._board.end(call, ENDED_BY_CALLER, Ending.STOPPED)
        for _ in range(LAST_STEPS):
            if all(call.over.is_set() for call in calls):
                return
            await self._clock.advance(10)

    @property
    def _board(self) -> Switchboard:
        return self._emulator.switchboard

    async def _ring(self, plan: dict[str, Any]) -> Call:
        return self._board.ring(self._board.plan(plan))

    def _found(self, call_id: str) -> Call:
        return self._board.calls.get(call_id) or self._connected(call_id)

    def _connected(self, connection_id: str) -> Call:
        call = self._board.by_connection(connection_id)
        if call is None:
            raise KeyError(connection_id)
        return call

    async def _report(self, call_id: str) -> dict[str, Any]:
        return self._found(call_id).report()

    async def _act(self, call_id: str, action: dict[str, Any]) -> None:
        if action["do"] == "hangup":
            # To wait for its end would be to wait for time that we are to move.
            action["wait"] = False
        await self._board.act(self._found(call_id), parse_action(action))

    async def _plan_outgoing(self, plan: dict[str, Any]) -> None:
        self._board.outgoing = self._board.plan(plan)

    async def _fail_rest(self, fault: dict[str, Any]) -> None:
        self._emulator.rest_faults.add(parse_rest_fault(fault))

    async def _forget_rest_faults(self) -> None:
        self._emulator.rest_faults.pending.clear()
