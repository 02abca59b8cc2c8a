"""What the service does in which of its turns: the script of a test or a demo."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Final

FAULTS: Final = ("", "disconnect", "error", "rate_limit", "malformed", "silent")
REPLIES: Final = (
    "Hello, you are speaking with the assistant of this line. How can I help?",
    "Thank you. I have taken note of that and look it up for you right now.",
    "That is settled. Is there anything else that you would like to know today?",
)


class PlanError(Exception):
    """A plan that cannot be understood; the message says what of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One answer: what is said, which tools are asked for, and what goes wrong.

    `fault` happens when `fault_ms` of the answer's audio were sent: `disconnect` drops
    the socket, `error` and `rate_limit` fail the answer, `malformed` sends messages
    that are none and goes on, `silent` sends nothing any more, without closing.
    `claim_speech_ms`: so long after the first audio the service claims that the caller
    speaks.
    """

    say: str = ""
    hears: str = ""
    tool: str = ""
    arguments: str = "{}"
    first_ms: int = 100
    pace: float = 20.0
    fault: str = ""
    fault_ms: int = 0
    claim_speech_ms: int = 0

    @classmethod
    def parse(cls, wanted: Mapping[str, Any]) -> "Turn":
        """Return a turn of JSON. Raises PlanError."""
        known = {each.name: each for each in fields(cls)}
        for name, value in wanted.items():
            if name not in known:
                raise PlanError(f"{name}: a turn has no such member")
            kind = type(known[name].default)
            allowed = (int, float) if kind is float else (kind,)
            if isinstance(value, bool) or not isinstance(value, allowed):
                raise PlanError(f"{name}: not {kind.__name__}")
        turn = cls(**wanted)
        if turn.fault not in FAULTS:
            raise PlanError(f"fault: none of {FAULTS}")
        if turn.pace <= 0 or min(turn.first_ms, turn.fault_ms) < 0:
            raise PlanError("pace, first_ms and fault_ms: must not be negative")
        return turn


@dataclass(slots=True)
class Plan:
    """The turns to come, of all sessions, and the answers to sockets to come.

    When the turns are used up, `REPLIES` are said in turn. `refuse` holds the HTTP
    statuses with which the next sockets are refused.
    """

    turns: list[Turn] = field(default_factory=list)
    refuse: list[int] = field(default_factory=list)
    retry_after: int = 0
    used: int = 0

    @classmethod
    def parse(cls, text: str) -> "Plan":
        """Return a plan of JSON: turns, refuse, retry_after. Raises PlanError."""
        try:
            wanted = json.loads(text or "{}")
        except (ValueError, RecursionError) as exc:
            raise PlanError("not JSON") from exc
        if not isinstance(wanted, dict):
            raise PlanError("not a JSON object")
        turns = _list(wanted.pop("turns", []), dict, "turns")
        refuse = _list(wanted.pop("refuse", []), int, "refuse")
        retry_after = wanted.pop("retry_after", 0)
        if wanted or not isinstance(retry_after, int):
            raise PlanError("a plan has turns, refuse and retry_after, nothing else")
        return cls([Turn.parse(turn) for turn in turns], refuse, retry_after)

    def next_turn(self) -> Turn:
        """Return what the next answer is."""
        self.used += 1
        if self.turns:
            return self.turns.pop(0)
        return Turn(say=REPLIES[(self.used - 1) % len(REPLIES)])


def _list(wanted: Any, kind: type, name: str) -> list[Any]:
    if not isinstance(wanted, list) or not all(isinstance(x, kind) for x in wanted):
        raise PlanError(f"{name}: not a list of {kind.__name__}")
    return wanted
