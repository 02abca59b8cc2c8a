"""One call between two sides: our control plane here, the emulator over there.

Time is both sides' own and moves only by `pass_time`. Whatever the emulator posts is
delivered at once; what a beat, a worker and ingest would do is done when a test says
so.
"""

import queue
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from typing import Any
from urllib.error import HTTPError

import pytest
from django.utils import timezone

from calls import control
from calls.acs import Acs
from calls.control import commands_sweep, commands_verify, sending
from calls.control.sending import command_send
from calls.doors.capability import call_secret
from calls.models import (
    Call,
    CommandKind,
    CommandState,
    StreamCommand,
    StreamingProfile,
    StreamingState,
)
from calls.models.control import OPEN_COMMAND_STATES
from calls.orders import ORDERS
from calls.reconcile import calls_reconcile
from tests.control.by_hand import ByHand

CALLER = "4:+12065550150"
AGENT = "8:acs:r_agent"
GUEST = "8:acs:r_guest"
OURS = "+18005550199"

_real_now = timezone.now


class Killed(BaseException):
    """A worker dies here, without a word: nothing that it would do next is done."""


class World:
    """The call, and everybody who has to do with it."""

    def __init__(self, bench: ByHand, monkeypatch: pytest.MonkeyPatch) -> None:
        self.bench = bench
        self._patch = monkeypatch
        self._ahead = bench.now() - _real_now()
        self._patch.setattr(timezone, "now", self.now)
        self.rung: dict[str, Any] = {}
        self.call = Call()

    def now(self) -> datetime:
        """Return our time."""
        return _real_now() + self._ahead

    def pass_time(self, seconds: float) -> None:
        """Let time pass on both sides, and deliver what was posted meanwhile."""
        self.bench.advance(seconds)
        self._ahead += timedelta(seconds=seconds)
        self.deliver()

    def deliver(self) -> None:
        """Deliver every letter about this call that has come."""
        self.bench.advance(0)
        while True:
            try:
                letter = self.bench.letters.get_nowait()
            except queue.Empty:
                return
            # An earlier example's call may still have had something to say.
            if letter.path.endswith(call_secret(self.call.id)):
                assert letter.deliver() == 200

    # The call

    def ring(self, **plan: Any) -> None:
        """Ring; the profile says whether to stream at once."""
        start = plan.pop("start")
        StreamingProfile.objects.update(is_default=False)
        StreamingProfile.objects.create(
            name="Own",
            is_default=True,
            start_at_answer=start,
            transcription="on_demand",
        )
        people = {"from": CALLER, "participants": [CALLER, AGENT]}
        self.rung = self.bench.ring(**people | plan)
        self.bench.advance(0)
        letter = self.bench.next_letter()
        while "eventgrid" not in letter.path:
            letter = self.bench.next_letter()
        assert letter.deliver() == 200
        self.call = Call.objects.get()

    @property
    def path(self) -> str:
        return f"calls/{self.rung['id']}"

    def truth(self) -> Any:
        """Return what the emulator says of the call."""
        return self.bench.get(self.path)

    def act(self, what: str, **arguments: Any) -> None:
        """Let something happen at the other side, if it can."""
        if what == "hangup":
            # It is over only once time has moved on.
            arguments["wait"] = False
        with suppress(HTTPError):
            self.bench.tell(f"{self.path}/{what}", **arguments)

    # Our side

    def ask(self, kind: CommandKind, arguments: dict[str, str]) -> str:
        """Give an order; return why it was refused, or nothing."""
        try:
            control.command_ask(call=self.call, kind=kind, arguments=arguments)
        except control.CommandRefused as refused:
            return str(refused)
        return ""

    def work(self, dies: str = "") -> None:
        """Send what is due, as a worker does; it may die at one of its steps."""
        due = StreamCommand.objects.filter(
            state=CommandState.QUEUED, due_at__lte=timezone.now()
        )
        for command in list(due):
            with _dying(dies):
                command_send(command.pk)
        self.deliver()

    def beat(self) -> None:
        """Do what a beat asks for."""
        commands_sweep(timezone.now())
        commands_verify(timezone.now())
        calls_reconcile(timezone.now())

    def hear(self) -> None:
        """Tell what ingest would: audio that comes, and the end of the last socket."""
        media = self.truth()["media"]
        if media is None:
            return
        call = Call.objects.get(pk=self.call.pk)
        if media["transport"] == "open" and media["state"] == "active":
            control.streaming_seen(call.pk, StreamingState.STREAMING, at=timezone.now())
        elif call.streaming_state == StreamingState.STREAMING:
            goes_on = call.is_live and call.desired_streaming
            ended = StreamingState.STALLED if goes_on else StreamingState.STOPPED
            control.streaming_seen(call.pk, ended, at=timezone.now())

    def settle(self) -> None:
        """Let things come to rest: no more faults, everybody at work."""
        self.bench.clear_faults()
        for _ in range(60):
            self.pass_time(3)
            self.work()
            self.beat()
            is_open = StreamCommand.objects.filter(state__in=OPEN_COMMAND_STATES)
            if not is_open.exists():
                break
        for _ in range(8):
            self.pass_time(10)
            self.hear()
            self.beat()


@contextmanager
def _dying(where: str) -> Iterator[None]:
    """Let a worker die `before` its request, `after` it, or not at all."""
    if not where:
        yield
        return

    def carry_out(client: Acs, command: StreamCommand) -> None:
        order = ORDERS[command.kind]
        if where == "after" and not order.evidence(client, command):
            order.send(client, command)
        raise Killed

    with pytest.MonkeyPatch.context() as patch, suppress(Killed):
        patch.setattr(sending, "_carry_out", carry_out)
        yield
