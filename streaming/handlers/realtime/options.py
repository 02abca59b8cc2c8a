"""What a profile can say about the realtime handler, read strictly."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Final, Self

BARGE_IN: Final = ("first", "service", "local")
THEN: Final = ("stay", "hang_up", "transfer")
# As phone numbers begin in raw ids.
PHONE: Final = "4:"


@dataclass(frozen=True, slots=True, kw_only=True)
class RealtimeOptions:
    """Options by name; each may be left out.

    `participants`: who is relayed when the call is streamed unmixed: `all`, `phones`,
    or a list of raw ids. `barge_in`: who decides that the caller interrupts: the
    service's turn detection, our own, or whichever is first. `tools`: dotted paths of
    functions. `transfers`: where the model may transfer to, by the names it knows.
    `give_up_*`: what happens when the service cannot be had any more or `max_seconds`
    are over: a prompt is played, and then we stay, hang up or transfer. `speech` is
    for our own detection of speech, which reads it itself.
    """

    instructions: str = ""
    greeting: str = ""
    voice: str = "marin"
    model: str = ""
    language: str = ""
    transcription_model: str = "gpt-transcribe"
    participants: str | list[str] = "all"
    barge_in: str = "first"
    tools: list[str] = field(default_factory=list)
    transfers: dict[str, str] = field(default_factory=dict)
    caller_id: str = ""
    max_seconds: float = 0.0
    silence_ms: int = 500
    answer_seconds: float = 15.0
    reconnects: int = 5
    backoff_seconds: float = 0.5
    give_up_prompt: str = ""
    give_up_then: str = "stay"
    give_up_target: str = ""
    speech: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def parse(cls, wanted: Mapping[str, Any]) -> Self:
        """Return the options of a profile. Raises ValueError, naming the option."""
        defaults = cls()
        known = {each.name for each in fields(cls)}
        for name, value in wanted.items():
            if name not in known:
                raise ValueError(f"{name}: there is no such option")
            if not _fits(name, value, getattr(defaults, name)):
                raise ValueError(f"{name}: not a possible value")
        options = cls(**wanted)
        options._check()
        return options

    def _check(self) -> None:
        if self.barge_in not in BARGE_IN:
            raise ValueError(f"barge_in: must be one of {', '.join(BARGE_IN)}")
        if self.give_up_then not in THEN:
            raise ValueError(f"give_up_then: must be one of {', '.join(THEN)}")
        if self.give_up_then == "transfer" and not self.give_up_target:
            raise ValueError("give_up_target: a transfer needs one")
        if isinstance(self.participants, str) and self.participants not in (
            "all",
            "phones",
        ):
            raise ValueError("participants: must be all, phones or a list of raw ids")

    def relays(self) -> Callable[[str], bool]:
        """Return whether a participant's audio goes to the service."""
        if self.participants == "all":
            return lambda _raw_id: True
        if self.participants == "phones":
            return lambda raw_id: raw_id.startswith(PHONE)
        chosen = frozenset(self.participants)
        return lambda raw_id: raw_id in chosen


def _fits(name: str, value: Any, default: Any) -> bool:
    if name == "participants" and isinstance(value, list):
        return all(isinstance(each, str) for each in value)
    if isinstance(default, int | float):
        kinds = (int,) if isinstance(default, int) else (int, float)
        return type(value) in kinds and value >= 0
    if isinstance(default, list):
        return isinstance(value, list) and all(isinstance(each, str) for each in value)
    if isinstance(default, dict) and isinstance(value, dict):
        texts = (each for pair in value.items() for each in pair)
        return name == "speech" or all(isinstance(each, str) for each in texts)
    return isinstance(default, str) and isinstance(value, str)
