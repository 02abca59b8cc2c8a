"""What listening asks of the database: who may, what the call is, and the audit log.

All of it is synchronous and runs in a worker thread.
"""

from dataclasses import dataclass
from typing import Any, ClassVar
from uuid import UUID

from django.contrib.auth import get_user_model

from calls import formats
from calls.audit.log import note
from calls.models import AuditAction, Call, Participant
from streaming.viewing import viewer_of

PERMISSIONS = ("calls.view_call", "calls.listen_live")


@dataclass(frozen=True, slots=True)
class ListenedCall:
    """What a listener is told of a call, beside its audio."""

    is_live: bool
    origin_us: int | None
    streaming: str
    streaming_words: str


@dataclass(frozen=True, slots=True)
class Rights:
    """A browser's session and who is behind it."""

    session: Any
    user_key: Any
    address: str
    permissions: ClassVar[tuple[str, ...]] = PERMISSIONS

    def user(self) -> Any:
        """Return the user if they may do this now, else None."""
        user = viewer_of(self.session, self.user_key)
        return user if user is not None and user.has_perms(self.permissions) else None

    def note_started(self, call_id: UUID, listening: str) -> None:
        """Note that the user is about to hear a call. Raises DatabaseError.

        `listening` is the id of this listening: should our process end with it,
        `calls.audit.reaping` notes its end.
        """
        self.note(AuditAction.LISTENING_STARTED, call_id, {"listening": listening})

    def note_ended(
        self, call_id: UUID, listening: str, seconds: float, heard: float
    ) -> None:
        """Note that they hear it no more. Raises DatabaseError."""
        details = {
            "listening": listening,
            "seconds": round(seconds, 1),
            "heard": round(heard, 1),
        }
        self.note(AuditAction.LISTENING_ENDED, call_id, details)

    def note(self, action: AuditAction, call_id: UUID, details: dict[str, Any]) -> None:
        """Note what the user does to a call. Raises DatabaseError."""
        call = Call.objects.defer("incoming_call_context").get(pk=call_id)
        user = get_user_model().objects.get(pk=self.user_key)
        note(
            action,
            actor=user,
            call=call,
            obj=call,
            details=details,
            address=self.address,
        )


def listened_call(call_id: UUID) -> ListenedCall | None:
    """Return what a call is like now; None if there is none."""
    shown = Call.objects.only("state", "origin_us", "streaming_state")
    call = shown.filter(pk=call_id).first()
    if call is None:
        return None
    return ListenedCall(
        is_live=call.is_live,
        origin_us=call.origin_us,
        streaming=call.streaming_state,
        streaming_words=str(call.get_streaming_state_display()),
    )


def names_of(call_id: UUID) -> dict[str, str]:
    """Return what to call each participant, by raw id."""
    people = Participant.objects.filter(call=call_id)
    return {one.raw_id: formats.who(one.display_name, one.raw_id) for one in people}
