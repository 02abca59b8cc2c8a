"""The sidebar: where things are, how many calls are live, how many alarms open."""

from functools import cache
from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from calls.alarms.views import badges

# Group, then (title, icon, route, permission). A route without a namespace is admin's.
Entry = tuple[str | Promise, str, str, str]
GROUPS: tuple[tuple[str | Promise, tuple[Entry, ...]], ...] = (
    (
        _("Live"),
        (
            (_("Wallboard"), "monitor_heart", "index", "calls.view_call"),
            (_("Problems"), "inbox", "inbox:page", "calls.view_alarm"),
            (_("Calls"), "call", "calls_call_changelist", "calls.view_call"),
            (_("Place a call"), "add_call", "calls_call_place", "calls.place_call"),
            (
                _("Connect to a running call"),
                "phone_callback",
                "calls_call_connect",
                "calls.place_call",
            ),
        ),
    ),
    (
        _("Archive"),
        (
            (
                _("Recordings"),
                "voicemail",
                "calls_recording_changelist",
                "calls.view_recording",
            ),
            (
                _("Participants"),
                "groups",
                "calls_participant_changelist",
                "calls.view_participant",
            ),
            (
                _("Words said"),
                "speech_to_text",
                "calls_call_said",
                "calls.read_transcript",
            ),
            (_("Tracks"), "graphic_eq", "calls_track_changelist", "calls.view_track"),
            (_("Tags"), "sell", "calls_tag_changelist", "calls.view_tag"),
            (
                _("Alarms"),
                "notifications",
                "calls_alarm_changelist",
                "calls.view_alarm",
            ),
        ),
    ),
    (
        _("Control"),
        (
            (
                _("Commands"),
                "send",
                "calls_streamcommand_changelist",
                "calls.view_streamcommand",
            ),
            (
                _("Events"),
                "list_alt",
                "calls_callevent_changelist",
                "calls.view_callevent",
            ),
            (
                _("Prompts"),
                "campaign",
                "calls_prompt_changelist",
                "calls.view_prompt",
            ),
            (
                _("Answering rules"),
                "rule",
                "calls_answerrule_changelist",
                "calls.view_answerrule",
            ),
            (
                _("Streaming profiles"),
                "tune",
                "calls_streamingprofile_changelist",
                "calls.view_streamingprofile",
            ),
        ),
    ),
    (
        _("System"),
        (
            (_("Systems"), "dns", "systems:page", "calls.view_ingestprocess"),
            (
                _("Sockets"),
                "cable",
                "calls_connection_changelist",
                "calls.view_connection",
            ),
            (
                _("Subscriptions"),
                "sync_alt",
                "calls_subscription_changelist",
                "calls.view_subscription",
            ),
            (
                _("Ingest processes"),
                "memory",
                "calls_ingestprocess_changelist",
                "calls.view_ingestprocess",
            ),
            (
                _("Audit log"),
                "policy",
                "calls_auditentry_changelist",
                "calls.view_auditentry",
            ),
            (_("Preflight"), "checklist", "preflight:page", "calls.run_preflight"),
            (_("Users"), "person", "auth_user_changelist", "auth.view_user"),
            (_("Groups"), "badge", "auth_group_changelist", "auth.view_group"),
        ),
    ),
)


def navigation(request: HttpRequest) -> list[dict[str, Any]]:
    """Return the groups with what this user may see in each."""
    groups = []
    for title, entries in GROUPS:
        items = [
            {"title": str(name), "icon": icon, "link": _address(route)}
            for name, icon, route, permission in entries
            if request.user.has_perm(permission)
        ]
        if items:
            groups.append({"title": str(title), "separator": False, "items": items})
    _mark_counts(request, groups)
    _mark_here(groups, request.path)
    return groups


def list_name(link: str) -> str:
    """Return what the sidebar calls the page at `link`; empty if it has none there."""
    return str(_names().get(link, ""))


@cache
def _names() -> dict[str, str | Promise]:
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


def _mark_counts(request: HttpRequest, groups: list[dict[str, Any]]) -> None:
    """Put counts beside the entries that have one; badges.js keeps them fresh."""
    counted = {"call": "calls", "inbox": "alarms"}
    found = badges(request)
    for item in (item for group in groups for item in group["items"]):
        if badge := found.get(counted.get(item["icon"], "")):
            item.update(badge_key=counted[item["icon"]], **_badge(badge))


def _badge(found: dict[str, object]) -> dict[str, object]:
    return {
        "badge": str(found["count"] or ""),
        "badge_tone": found["tone"],
        "badge_words": found["words"],
    }
