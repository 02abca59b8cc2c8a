"""What the dashboard's page is born with; its socket takes over from there."""

from typing import Any

from django.http import HttpRequest
from django.utils import timezone

from calls.board import board, board_facts
from calls.buttons import buttons_by_hand
from calls.offers import dialog_of, may


def dashboard_context(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """Add the first snapshot, from the database alone, and what the user may do."""
    if not request.user.has_perm("calls.view_call"):
        return context
    snapshot = board(
        board_facts(), None, at=timezone.now(), reason="Connecting to the live feed …"
    )
    context.update(
        title="Dashboard",
        board=snapshot,
        rights={
            button.kind: dialog_of(button)
            for button in buttons_by_hand()
            if may(request.user, button)
        },
    )
    return context
