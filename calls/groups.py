"""Two groups to begin with: who runs calls, and who may only look and listen."""

from typing import Any

from django.apps.registry import Apps
from django.apps.registry import apps as all_apps
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
        "review_call",
        "handle_alarm",
    },
    AUDITORS: {"play_recording"},
}


def groups_make(*, apps: Apps = all_apps, using: str = "default", **_: Any) -> None:
    """Make the groups that are missing, after migrations have made the permissions.

    A group that is there is left as it is: what staff changed in it stays changed.
    """
    try:
        group_model = apps.get_model("auth", "Group")
        permission_model = apps.get_model("auth", "Permission")
        apps.get_model("calls", "Call")
    except LookupError:
        # Migrated only so far; the tables come later.
        return
    ours = permission_model.objects.using(using).filter(content_type__app_label="calls")
    for name, rights in RIGHTS.items():
        group, is_new = group_model.objects.using(using).get_or_create(name=name)
        if is_new:
            seen = Q(codename__startswith="view_") | Q(codename__in=rights)
            group.permissions.set(ours.filter(seen))
