"""What speaking asks of the database: who may, whether the call hears, the audit log.

All of it is synchronous and runs in a worker thread.
"""

from dataclasses import dataclass
from typing import Any, ClassVar, Final
from uuid import UUID

from django.conf import settings

from calls.models import AuditAction, Call, Subscription, Utterance
from streaming.listen.rights import Rights
from streaming.talk.press import Press

PERMISSIONS: Final = ("calls.view_call", "calls.speak_live")
# Who interrupts a prompt stops it.
MAY_INTERRUPT: Final = "calls.play_prompt"


@dataclass(frozen=True, slots=True)
class TalkNow:
    """Whether a call hears what is said here. `why`: why not; empty: it does."""

    is_live: bool
    why: str
    streaming_words: str
    rate: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of an utterance, as far as ingest has told."""

    state: str
    played_ms: int
    reason: str


@dataclass(frozen=True, slots=True)
class TalkRights(Rights):
    """A browser's session, and who speaks behind it."""

    permissions: ClassVar[tuple[str, ...]] = PERMISSIONS

    def ready(self, call_id: UUID) -> tuple[Any, TalkNow | None]:
        """Return the user if they may speak now, and what the call is like."""
        return self.user(), talk_now(call_id)

    def note_press(self, press: Press) -> None:
        """Note that the user is about to be heard. Raises DatabaseError."""
        details = {"utterance": str(press.utterance), "interrupts": press.interrupts}
        self.note(AuditAction.SPEAKING_STARTED, press.call_id, details)

    def note_release(self, press: Press, why: str) -> None:
        """Note how long they spoke, and why no longer. Raises DatabaseError."""
        details = {
            "utterance": str(press.utterance),
            "seconds": round(press.seconds, 2),
            "why": why,
        }
        self.note(AuditAction.SPEAKING_ENDED, press.call_id, details)


def talk_now(call_id: UUID) -> TalkNow | None:
    """Return whether a call hears us now; None if there is no such call."""
    calls = Call.objects.select_related("profile").defer("incoming_call_context")
    call = calls.filter(pk=call_id).first()
    if call is None:
        return None
    return TalkNow(
        is_live=call.is_live,
        why=why_unheard(call),
        streaming_words=str(call.get_streaming_state_display()),
        rate=_rate(call),
    )


def why_unheard(call: Call) -> str:
    """Return why a call does not hear what we say; empty: it does."""
    # Without authentication, ingest speaks into any call that it has.
    if settings.MEDIA_AUTH != "off" and not call.hears_us:
        return "one_way"
    return "" if call.is_streamed else "not_streaming"


def _rate(call: Call) -> int:
    """Return the rate that ACS announced, else the one that was asked for."""
    announced = Subscription.objects.filter(call=call).order_by("-started_at")
    rate = announced.values_list("sample_rate", flat=True).first()
    return rate or (call.profile.sample_rate if call.profile else 16_000)


def outcome_of(utterance: UUID) -> Outcome | None:
    """Return what became of an utterance; None while nothing is known."""
    row = Utterance.objects.filter(pk=utterance).first()
    return Outcome(row.state, row.played_ms, row.reason) if row else None
