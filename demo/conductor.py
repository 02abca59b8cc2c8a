"""One run of the demo: start everything, ring, watch, verify, stay, end."""

import fcntl
import json
import os
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import redis
from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.staticfiles.management.commands import collectstatic
from django.core.management import call_command

from calls.live.ingest import LiveCall, live_processes
from calls.models import Call
from calls.models.states import ArchiveState
from demo.loopback import HttpError, Operator
from demo.parts import waves
from demo.processes import PartFailedError, StopAsked, System
from demo.redis import RedisMissingError
from demo.scenario import (
    KINDS,
    RING_STAGGER,
    Ringing,
    library_create,
    policy_create,
)
from demo.table import Row, Screen, report_of, verdict_line, verdict_lines
from demo.verify import CallCheck, call_check

TICK_SECONDS = 0.25
# From the hang-up to the last callback, and from there to verified recordings.
END_PATIENCE = 30.0
FINISH_PATIENCE = 60.0
OPERATOR = "operator"
# A console is worth a look while something happens in it. Not for ever: audio takes
# disk, 200 MB an hour at this rate.
LIVE_CALLS = 2
LIVE_CALL_SECONDS = 60.0
RING_ON_SECONDS = 3600.0


@dataclass(frozen=True, slots=True)
class Plan:
    """What the command line asked for. `listening` is the console's socket."""

    folder: Path
    listening: int
    calls: int
    seconds: float
    once: bool
    report: Path | None


class Conductor:
    """Runs the demo by the settings of its environment, and says what it does."""

    def __init__(self, plan: Plan, screen: Screen) -> None:
        """Nothing is started yet."""
        self.plan = plan
        self.screen = screen
        self.system = System(
            plan.folder / "logs", settings.BASE_DIR, notice=self._notice
        )
        self.operator = Operator(settings.PUBLIC_URL)
        self._figures: dict[str, LiveCall] = {}
        self._rung = 0
        self._restarts: list[str] = []

    def run(self) -> int:
        """Return the exit code: 0 verified, 1 not, 128 + n ended early by signal n."""
        with self.system:
            code = self._session()
            self.screen.say("Stopping …")
        self.screen.say(f"All parts have ended. What they kept: {_shown(self.plan)}")
        return code

    def _session(self) -> int:
        verdict: int | None = None
        try:
            self._begin()
            verdict = self._play()
            if self.screen.is_terminal and not self.plan.once:
                self._stay()
        except StopAsked:
            stopped = 128 + (self.system.stopped_by or 0)
            return stopped if verdict is None else verdict
        except (PartFailedError, RedisMissingError, HttpError) as exc:
            self.screen.say(f"FAILED: {exc}")
            self.screen.say(f"All logs: {_shown(self.plan)}/logs")
            return 1
        return verdict

    def _begin(self) -> None:
        """Start every part; then there is a console and somebody who may sign in."""
        first, *rest = waves(self.plan.folder, self.plan.listening)
        self._step("redis", partial(self.system.start, *first))
        self._step("database, console's files", self._prepare)
        for wave in rest:
            names = ", ".join(part.name for part in wave)
            self._step(names, partial(self.system.start, *wave))
        password = secrets.token_urlsafe(9)
        get_user_model().objects.create_superuser(OPERATOR, password=password)
        policy_create()
        library_create()
        self._sign_in(password)
        self.screen.say(
            f"\nThe console: {settings.PUBLIC_URL}/admin/\n"
            f"  sign in as {OPERATOR}, password {password}\n"
        )

    def _sign_in(self, password: str) -> None:
        try:
            self.operator.sign_in(OPERATOR, password)
        except HttpError as exc:
            raise self.system.failure("web", f"lets nobody sign in: {exc}") from exc

    def _step(self, what: str, do: Callable[[], object]) -> None:
        started = time.monotonic()
        do()
        self.screen.say(f"  {what:<32} ready {time.monotonic() - started:5.1f} s")
        self.system.pause(0)

    def _prepare(self) -> None:
        call_command("migrate", interactive=False, verbosity=0)
        # One after the other: demos of one checkout share the folder.
        with Path(settings.BASE_DIR, "manage.py").open() as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not _are_files_collected():
                call_command("collectstatic", interactive=False, verbosity=0)

    def _notice(self, restart: str) -> None:
        """Say that a part was started again, now and beside the verdict."""
        self._restarts.append(restart)
        self.screen.say(f"{restart}.")

    # --- calls ------------------------------------------------------------------------

    def _play(self) -> int:
        """Ring, watch, verify; return 0 if everything sent is stored."""
        plan = self.plan
        self.screen.say(f"{plan.calls} calls of {plan.seconds:g} s:")
        calls = [self._next_call(plan.seconds) for _ in range(plan.calls)]
        self._watch(calls)
        self.screen.say("\nThe calls are over; waiting for their recordings …")
        self._await_recordings(calls)
        checks = [
            call_check(
                kind=call.kind.name,
                report=call.report,
                problems=call.problems,
                expected=call.kind.expected,
            )
            for call in calls
        ]
        self._tell(checks)
        return 0 if report_of(checks)["ok"] else 1

    def _next_call(self, seconds: float) -> Ringing:
        kind = KINDS[self._rung % len(KINDS)]
        self._rung += 1
        return Ringing(self._rung, kind, seconds, settings.ACS_ENDPOINT)

    def _watch(self, calls: Sequence[Ringing]) -> None:
        """Ring the calls one after the other and see each through to its end."""
        started = time.monotonic()
        stagger = RING_STAGGER * len(calls)
        deadline = started + stagger + self.plan.seconds + END_PATIENCE
        waiting, drawn = list(calls), 0.0
        while time.monotonic() < deadline:
            elapsed = time.monotonic() - started
            if waiting and elapsed >= RING_STAGGER * (len(calls) - len(waiting)):
                waiting.pop(0).ring()
            self._attend(calls)
            if elapsed - drawn >= 1 or not drawn:
                drawn = elapsed
                self.screen.show(self._rows(calls), elapsed)
            if all(call.is_over for call in calls):
                break
            self.system.pause(TICK_SECONDS)
        self.screen.show(self._rows(calls), time.monotonic() - started)
        for call in calls:
            call.conclude()

    def _attend(self, calls: Sequence[Ringing]) -> None:
        for call in calls:
            if call.report and not call.is_over:
                call.refresh()
                call.order_due(self.operator)

    def _rows(self, calls: Sequence[Ringing]) -> list[Row]:
        """Return how the calls are, by the database and by what ingest says live."""
        try:
            for process in live_processes():
                self._figures |= {each["call_id"]: each for each in process["calls"]}
        except redis.RedisError:
            # Its end is noticed elsewhere; figures may be missing for a moment.
            pass
        ids = [call.call_id for call in calls if call.call_id]
        known = Call.objects.in_bulk(ids)
        return [
            Row(
                call.number,
                call.kind.name,
                known[call.call_id].get_streaming_state_display()
                if call.call_id in known
                else "Ringing",
                self._figures.get(str(call.call_id)),
            )
            for call in calls
            if call.report
        ]

    def _await_recordings(self, calls: Sequence[Ringing]) -> None:
        deadline = time.monotonic() + FINISH_PATIENCE
        ids = [call.call_id for call in calls if call.call_id]
        open_states = (ArchiveState.NONE, ArchiveState.LIVE, ArchiveState.PENDING)
        waiting = Call.objects.filter(pk__in=ids, archive_state__in=open_states)
        while waiting.exists() and time.monotonic() < deadline:
            self.system.pause(TICK_SECONDS)

    def _tell(self, checks: Sequence[CallCheck]) -> None:
        self.screen.say("\n".join(["", *verdict_lines(checks), ""]))
        for restart in self._restarts:
            self.screen.say(f"{restart}.")
        self.screen.say(verdict_line(checks))
        if self.plan.report:
            report = report_of(checks) | {
                "restarts": self._restarts,
                "folder": str(self.plan.folder),
            }
            self.plan.report.write_text(json.dumps(report, indent=2) + "\n", "utf-8")
            self.screen.say(f"The same as JSON: {self.plan.report}")

    def _stay(self) -> None:
        """Keep the system up, with calls in it, until a signal comes."""
        self.screen.say(
            f"\nThe console stays up: {settings.PUBLIC_URL}/admin/ (Ctrl-C ends it)."
            "\nFor an hour calls go on ringing:"
        )
        started, calls = time.monotonic(), list[Ringing]()
        while True:
            calls = [call for call in calls if not call.is_over]
            elapsed = time.monotonic() - started
            if len(calls) < LIVE_CALLS and elapsed < RING_ON_SECONDS:
                calls.append(self._next_call(LIVE_CALL_SECONDS))
                calls[-1].ring()
            self._attend(calls)
            self.screen.show(self._rows(calls), elapsed)
            self.system.pause(1)


def _shown(plan: Plan) -> str:
    """Return the data folder as short as it can be named from here."""
    return os.path.relpath(plan.folder)


def _are_files_collected() -> bool:
    """Say whether `make setup` has collected the console's files as they are now."""
    if not Path(settings.STATIC_ROOT, "staticfiles.json").exists():
        return False
    rehearsal = collectstatic.Command()
    rehearsal.set_options(
        interactive=False,
        verbosity=0,
        link=False,
        clear=False,
        dry_run=True,
        ignore_patterns=[],
        use_default_ignore_patterns=True,
        post_process=False,
    )
    return not rehearsal.collect()["modified"]
