"""The demo's calls: ten kinds, rung through the emulator's control API.

What happens in a call comes from both sides, as in life: the far side hangs up and
redials (the emulator's plan), an operator starts and stops streaming (orders through
the console).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from typing import Any, Literal
from uuid import UUID

from django.core.management import call_command

from calls.models import (
    AnswerRule,
    Call,
    CommandKind,
    Prompt,
    StreamingProfile,
    TranscriptionStart,
)
from demo.conversation import Conversation
from demo.loopback import HttpError, Operator, json_of

RING_STAGGER = 0.5
# An order that the console refuses may only be early: it is asked again for so long.
ORDER_PATIENCE = 5.0
REDIAL_SECONDS = 1.0
# Ten seconds of dead air and twenty of one-way audio are alarms.
ALARM_SECONDS = 35
CALLERS = ("Amara Diaz", "Jonas Weber", "Mei Tanaka", "Olu Adeyemi", "Lena Novak")

PROMPT_FOLDER = Path(__file__).parent / "prompts"
PROMPTS = {
    "Recording notice": "recording-notice.flac",
    "Please hold": "please-hold.flac",
}

When = float
"""A share of the call's length, 0 to 1."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of call. By its own called number a rule picks its streaming profile."""

    name: str
    called: str
    channels: StreamingProfile.Channels
    sample_rate: StreamingProfile.SampleRate
    orders: tuple[tuple[When, CommandKind], ...] = ()
    redial_at: When | None = None
    # Keys that the caller presses, one after the other.
    keys: tuple[When, str] | None = None
    colleague: bool = False
    special: Literal["", "late", "pause", "redial"] = ""
    # What hears the call and answers, and the prompt that an operator plays.
    handler: str = ""
    handler_options: Mapping[str, Any] = field(default_factory=dict)
    prompt: str = ""
    transcribed: bool = False
    # Faults of the emulator that raise alarms, if the call is long enough for them.
    faults: Mapping[str, float] = field(default_factory=dict)

    @property
    def starts_by_itself(self) -> bool:
        """Say whether streaming starts when the call is answered."""
        return self.special != "late"

    @property
    def expected(self) -> Conversation:
        """Return what is to be heard and read of the call beside its recordings."""
        return Conversation(
            speaks=bool(self.handler or self.prompt),
            transcribed=self.transcribed,
            realtime=self.handler == "realtime",
        )


MIXED, UNMIXED = StreamingProfile.Channels.MIXED, StreamingProfile.Channels.UNMIXED
HZ_16, HZ_24 = (
    StreamingProfile.SampleRate.HZ_16000,
    StreamingProfile.SampleRate.HZ_24000,
)
START, STOP = CommandKind.START_STREAMING, CommandKind.STOP_STREAMING

# 555-01xx are numbers that nobody has.
KINDS = (
    Kind(
        "each speaker apart, 16 kHz",
        "4:+18005550101",
        UNMIXED,
        HZ_16,
        keys=(0.4, "4711#"),
    ),
    Kind("mixed, 16 kHz", "4:+18005550102", MIXED, HZ_16),
    Kind("three speakers, 24 kHz", "4:+18005550103", UNMIXED, HZ_24, colleague=True),
    Kind(
        "mixed, 24 kHz, started by hand",
        "4:+18005550104",
        MIXED,
        HZ_24,
        orders=((0.2, START),),
        special="late",
    ),
    Kind(
        "stopped and started again",
        "4:+18005550105",
        UNMIXED,
        HZ_16,
        orders=((0.35, STOP), (0.6, START)),
        special="pause",
        # One-way audio: nobody hears the agent.
        faults={"unheard": 2},
    ),
    Kind(
        "socket lost and redialled",
        "4:+18005550106",
        UNMIXED,
        HZ_16,
        redial_at=0.5,
        special="redial",
        faults={"dead_from": 4, "dead_seconds": 13},
    ),
    Kind(
        "a prompt played into it",
        "4:+18005550107",
        UNMIXED,
        HZ_16,
        orders=((0.3, CommandKind.PLAY_PROMPT),),
        prompt="Recording notice",
    ),
    Kind("an echo on the line", "4:+18005550108", MIXED, HZ_16, handler="echo"),
    Kind("transcribed", "4:+18005550109", UNMIXED, HZ_16, transcribed=True),
    Kind(
        "talks with an AI",
        "4:+18005550110",
        UNMIXED,
        HZ_24,
        handler="realtime",
        handler_options={"greeting": "Greet the caller.", "participants": "phones"},
    ),
)


def policy_create() -> None:
    """Make the streaming profile of each kind, and the rule that picks it."""
    for priority, kind in enumerate(KINDS, start=1):
        # Not capitalize(), which would write kHz small.
        name = kind.name[0].upper() + kind.name[1:]
        profile, _ = StreamingProfile.objects.get_or_create(
            name=name,
            defaults={
                "channels": kind.channels,
                "sample_rate": kind.sample_rate,
                "start_at_answer": kind.starts_by_itself,
                "dtmf_tones": kind.keys is not None,
                "bidirectional": kind.expected.speaks,
                "handler": kind.handler,
                "handler_options": dict(kind.handler_options),
                "transcription": TranscriptionStart.AT_ANSWER
                if kind.transcribed
                else TranscriptionStart.OFF,
                "intermediate_results": kind.transcribed,
                "tone_recognition": kind.keys is not None,
            },
        )
        AnswerRule.objects.get_or_create(
            name=name,
            defaults={
                "priority": priority,
                "called": kind.called,
                "profile": profile,
            },
        )


def library_create() -> None:
    """Put the sample prompts into the library."""
    for name, file in PROMPTS.items():
        call_command("prompt_add", name, str(PROMPT_FOLDER / file), stdout=StringIO())


@dataclass
class Ringing:
    """One call of the demo: what is planned and what the emulator last said of it."""

    number: int
    kind: Kind
    seconds: float
    emulator: str
    report: dict[str, Any] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    _orders: list[tuple[When, CommandKind]] = field(default_factory=list)
    _call_id: UUID | None = None

    def ring(self) -> None:
        """Ring. Raises `HttpError` if the emulator does not take the plan."""
        self.report = json_of(f"{self.emulator}/emulator/calls", self._plan())
        self._orders = list(self.kind.orders)

    def _plan(self) -> dict[str, Any]:
        caller = f"4:+1206555{100 + (self.number - 1) % 100:04d}"
        plan: dict[str, Any] = {
            "from": caller,
            "to": self.kind.called,
            "display_name": CALLERS[self.number % len(CALLERS)],
            "duration": self.seconds,
        }
        if self.kind.colleague:
            plan["participants"] = [caller, *_staff(self.number)]
        if self.kind.handler == "echo":
            plan["options"] = {"echo": "measured"}
        if self.kind.faults and self.seconds >= ALARM_SECONDS:
            plan["faults"] = dict(self.kind.faults)
        if self.kind.redial_at is not None:
            at = self.kind.redial_at * self.seconds
            redial = {"at": at, "do": "redial", "delay": REDIAL_SECONDS}
            plan["actions"] = [redial]
        if self.kind.keys is not None:
            pressed = _presses(*self.kind.keys, seconds=self.seconds)
            plan["actions"] = [*plan.get("actions", ()), *pressed]
        return plan

    @property
    def connection_id(self) -> str:
        """Return the callConnectionId; empty while the call is not answered."""
        return self.report.get("call_connection_id") or ""

    @property
    def call_id(self) -> UUID | None:
        """Return the id under which we know the call; None while we do not."""
        if self._call_id is None and self.connection_id:
            known = Call.objects.filter(connection_id=self.connection_id)
            self._call_id = known.values_list("pk", flat=True).first()
        return self._call_id

    @property
    def is_over(self) -> bool:
        """Say whether the emulator has ended the call and delivered all its news."""
        return bool(self.report.get("finished"))

    def refresh(self) -> None:
        """Ask the emulator how the call is."""
        url = f"{self.emulator}/emulator/calls/{self.report['id']}"
        self.report = json_of(url)

    def order_due(self, operator: Operator) -> None:
        """Give the orders whose time has come, as an operator at the console."""
        elapsed = self.report.get("elapsed")
        while self._orders and elapsed is not None and self.call_id is not None:
            at, kind = self._orders[0]
            late = elapsed - at * self.seconds
            if late < 0 or self.is_over:
                return
            try:
                operator.order(self.call_id, kind, **self._given(kind))
            except HttpError as refused:
                if late < ORDER_PATIENCE:
                    return
                self.problems.append(f"{kind.label}: the console refused: {refused}")
            del self._orders[0]

    def _given(self, kind: CommandKind) -> dict[str, str]:
        if kind != CommandKind.PLAY_PROMPT:
            return {}
        return {"prompt": str(Prompt.objects.get(name=self.kind.prompt).pk)}

    def conclude(self) -> None:
        """Note what did not happen although it was planned."""
        if not self.is_over:
            self.problems.append("the call did not end in time")
        for _, kind in self._orders:
            self.problems.append(f"“{kind.label}” was never ordered")


def _presses(first: When, tones: str, *, seconds: float) -> list[dict[str, Any]]:
    """Return what makes the caller press keys, about three in a second."""
    return [
        {"at": first * seconds + number * 0.35, "do": "dtmf", "tones": tone}
        for number, tone in enumerate(tones)
    ]


def _staff(number: int) -> list[str]:
    """Return the raw ids of an agent and of a colleague on Teams."""
    tail = f"{number:08x}-0000-4000-8000-0000000a9e17"
    return [
        f"8:acs:5a1e0acc-0000-4000-8000-00000000acce_{tail}",
        f"8:orgid:{tail}",
    ]
