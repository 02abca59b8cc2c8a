"""What the dashboard's page is born with; its socket takes over from there."""

from typing import Any

from django.http import HttpRequest
from django.utils import timezone

from calls.board import board, board_facts


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
            "control": request.user.has_perm("calls.control_streaming"),
            "hangUp": request.user.has_perm("calls.hang_up"),
        },
    )
    return context
