"""What the wallboard's page is born with; its socket takes over from there."""

from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from calls.board.facts import board_facts, stored_tracks
from calls.board.snapshot import Picture
from calls.board.view import view_of_address
from calls.buttons import buttons_by_hand
from calls.models import CallState, Severity, StreamingProfile, StreamingState
from calls.models.states import LIVE_STATES, ArchiveState
from calls.offers import dialog_of, may

# A call's page has this in place of its id, in the address that the script fills in.
NO_CALL = "00000000-0000-0000-0000-000000000000"


def dashboard_context(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """Add the first snapshot, from the database alone, and what the user may do."""
    if not request.user.has_perm("calls.view_call"):
        return context
    view = view_of_address(request.GET.dict())
    picture = Picture(
        board_facts(),
        None,
        at=timezone.now(),
        reason=_("Connecting to the live feed …"),
    )
    picture.stored = stored_tracks(picture.unmeasured(view))
    context.update(
        title=_("Wallboard"),
        board=picture.board(view),
        words=_words(),
        filters={
            "states": [(state.value, state.label) for state in LIVE_STATES],
            "streaming": StreamingState.choices,
            "severities": [
                (1, _("Any alarm")),
                (2, _("Warning or worse")),
                (3, _("Critical")),
            ],
            "profiles": list(StreamingProfile.objects.values_list("pk", "name")),
        },
        rights={
            button.kind: dialog_of(button)
            for button in buttons_by_hand()
            if may(request.user, button)
        },
    )
    return context


def _words() -> dict[str, Any]:
    """Return what rows leave out, because it is the same in all of them."""
    return {
        "call_url": reverse("admin:calls_call_change", args=[NO_CALL]),
        "no_call": NO_CALL,
        "states": dict(CallState.choices),
        "streaming": dict(StreamingState.choices),
        "archive": dict(ArchiveState.choices),
        "severities": {int(one): str(one.label) for one in Severity},
    }
