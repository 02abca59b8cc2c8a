"""One emulated call and the steps of a worker, for tests that play both."""

from typing import Any, TypeVar

from django.db.models import Model

from calls import control, tasks
from calls.models import Call, CommandKind, StreamCommand, StreamingProfile
from tests.control.bench import Bench

Row = TypeVar("Row", bound=Model)


class Line:
    """One emulated call, taken as far as a test wants it."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.rung: dict[str, str] = {}

    def ring(self, **plan: Any) -> Call:
        """Ring; return the call that the Event Grid event made.

        For longer than a busy machine takes to answer, unless a plan says how long.
        """
        options = {"ring_seconds": 300} | plan.pop("options", {})
        self.rung = self.bench.ring(**plan, options=options)
        self.bench.deliver_until("IncomingCall")
        return Call.objects.get()

    def answer(self, *, start: bool = True, **plan: Any) -> Call:
        """Ring and answer; return the call once it is connected."""
        StreamingProfile.objects.create(
            name="Own", is_default=True, start_at_answer=start
        )
        call = self.ring(**plan)
        send(call.commands.get())
        self.bench.deliver_until("CallConnected")
        return fresh(call)

    @property
    def path(self) -> str:
        return f"calls/{self.rung['id']}"

    def report(self) -> dict[str, Any]:
        """Return what the emulator says of the call."""
        report: dict[str, Any] = self.bench.get(self.path)
        return report

    def subscription(self, state: str) -> None:
        """Wait until the emulator's subscription is in a state."""
        self.bench.wait_for(self.path, lambda report: report["media"]["state"] == state)

    def effects(self, command: StreamCommand) -> int:
        """Return how often the emulator carried a command out."""
        contexts = [each["operation_context"] for each in self.report()["effects"]]
        return contexts.count(str(command.id))

    def hang_up(self) -> None:
        """Let the caller hang up, and wait until that is over."""
        self.bench.tell(f"{self.path}/hangup")


def send(command: StreamCommand) -> StreamCommand:
    """Send a command as a worker does; return it as it then stands."""
    tasks.send_command.apply(args=(str(command.id),))
    return fresh(command)


def fresh(row: Row) -> Row:
    row.refresh_from_db()
    return row


def ask(call: Call, kind: CommandKind, **arguments: str) -> StreamCommand:
    return control.command_ask(call=call, kind=kind, arguments=arguments)
