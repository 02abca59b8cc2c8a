"""Two groups to begin with: who runs calls, and who may only look and listen."""

from collections.abc import Iterable
from typing import Any

from django.apps.registry import Apps
from django.apps.registry import apps as all_apps
from django.db import connections
from django.db.models import Q

OPERATORS = "Operators"
AUDITORS = "Auditors"

# Beside seeing everything of a call.
RIGHTS = {
    OPERATORS: {
        "control_streaming",
        "pause_recording",
        "control_transcription",
        "hang_up",
        "place_call",
        "control_participants",
        "transfer_call",
        "run_preflight",
        "play_recording",
        "download_recording",
        "listen_live",
        "play_prompt",
        "speak_live",
        "read_transcript",
        "review_call",
        "handle_alarm",
    },
    AUDITORS: {"play_recording", "read_transcript"},
}


# Our permissions by database, as they were before the migrations that now run.
_before: dict[str, set[str]] = {}


def rights_note(*, using: str = "default", **_: Any) -> None:
    """Note which of our permissions there are, before migrations make new ones."""
    permission = all_apps.get_model("auth", "Permission")
    tables = connections[using].introspection.table_names()
    is_new = permission._meta.db_table not in tables
    _before[using] = set() if is_new else set(_ours(permission, using))


def groups_make(*, apps: Apps = all_apps, using: str = "default", **_: Any) -> None:
    """Make the groups that are missing, after migrations have made the permissions.

    A group that is there keeps what staff made of it. It gets those of its rights that
    this release brought, or after an upgrade nobody could do what is new.
    """
    try:
        group_model = apps.get_model("auth", "Group")
        permission_model = apps.get_model("auth", "Permission")
        apps.get_model("calls", "Call")
    except LookupError:
        # Migrated only so far; the tables come later.
        return
    before = _before.pop(using, None)
    ours = permission_model.objects.using(using).filter(content_type__app_label="calls")
    for name, rights in RIGHTS.items():
        group, is_new = group_model.objects.using(using).get_or_create(name=name)
        seen = ours.filter(Q(codename__startswith="view_") | Q(codename__in=rights))
        if is_new:
            group.permissions.set(seen)
        elif before:
            group.permissions.add(*seen.exclude(codename__in=before))


def _ours(permission: Any, using: str) -> Iterable[str]:
    rows = permission.objects.using(using).filter(content_type__app_label="calls")
    names: Iterable[str] = rows.values_list("codename", flat=True)
    return names
