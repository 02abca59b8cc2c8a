"""The sidebar: where things are, and how many calls are live."""

from functools import cache
from typing import Any

from django.http import HttpRequest
from django.urls import reverse

from calls.models import Call

# Group, then (title, icon, route, permission). A route without a namespace is admin's.
GROUPS: tuple[tuple[str, tuple[tuple[str, str, str, str], ...]], ...] = (
    (
        "Live",
        (
            ("Dashboard", "monitor_heart", "index", "calls.view_call"),
            ("Calls", "call", "calls_call_changelist", "calls.view_call"),
            ("Place a call", "add_call", "calls_call_place", "calls.place_call"),
            (
                "Connect to a running call",
                "phone_callback",
                "calls_call_connect",
                "calls.place_call",
            ),
        ),
    ),
    (
        "Archive",
        (
            (
                "Recordings",
                "voicemail",
                "calls_recording_changelist",
                "calls.view_recording",
            ),
            (
                "Participants",
                "groups",
                "calls_participant_changelist",
                "calls.view_participant",
            ),
            ("Tracks", "graphic_eq", "calls_track_changelist", "calls.view_track"),
            ("Tags", "sell", "calls_tag_changelist", "calls.view_tag"),
        ),
    ),
    (
        "Control",
        (
            (
                "Commands",
                "send",
                "calls_streamcommand_changelist",
                "calls.view_streamcommand",
            ),
            (
                "Events",
                "list_alt",
                "calls_callevent_changelist",
                "calls.view_callevent",
            ),
            (
                "Answering rules",
                "rule",
                "calls_answerrule_changelist",
                "calls.view_answerrule",
            ),
            (
                "Streaming profiles",
                "tune",
                "calls_streamingprofile_changelist",
                "calls.view_streamingprofile",
            ),
        ),
    ),
    (
        "System",
        (
            (
                "Sockets",
                "cable",
                "calls_connection_changelist",
                "calls.view_connection",
            ),
            (
                "Subscriptions",
                "sync_alt",
                "calls_subscription_changelist",
                "calls.view_subscription",
            ),
            (
                "Ingest processes",
                "memory",
                "calls_ingestprocess_changelist",
                "calls.view_ingestprocess",
            ),
            (
                "Audit log",
                "policy",
                "calls_auditentry_changelist",
                "calls.view_auditentry",
            ),
            ("Preflight", "checklist", "preflight:page", "calls.run_preflight"),
            ("Users", "person", "auth_user_changelist", "auth.view_user"),
            ("Groups", "badge", "auth_group_changelist", "auth.view_group"),
        ),
    ),
)


def navigation(request: HttpRequest) -> list[dict[str, Any]]:
    """Return the groups with what this user may see in each."""
    groups = []
    for title, entries in GROUPS:
        items = [
            {"title": name, "icon": icon, "link": _address(route)}
            for name, icon, route, permission in entries
            if request.user.has_perm(permission)
        ]
        if items:
            groups.append({"title": title, "separator": False, "items": items})
    _mark_live(groups)
    _mark_here(groups, request.path)
    return groups


def list_name(link: str) -> str:
    """Return what the sidebar calls the page at `link`; empty if it has none there."""
    return _names().get(link, "")


@cache
def _names() -> dict[str, str]:
    return {
        _address(route): name for _, entries in GROUPS for name, _, route, _ in entries
    }


def _address(route: str) -> str:
    return reverse(route if ":" in route else f"admin:{route}")


def _mark_here(groups: list[dict[str, Any]], path: str) -> None:
    """Mark the entry of this very page alone: Unfold marks those above it, too."""
    items = [item for group in groups for item in group["items"]]
    if any(item["link"] == path for item in items):
        for item in items:
            item["active"] = item["link"] == path


def _mark_live(groups: list[dict[str, Any]]) -> None:
    """Put the number of live calls beside "Calls": one indexed count."""
    calls = next(
        (item for group in groups for item in group["items"] if item["icon"] == "call"),
        None,
    )
    if calls and (live := Call.objects.live().count()):
        calls.update(badge=str(live), badge_variant="success")
