"""Six roles: what each may do, kept as Django groups that staff may change.

`RIGHTS` is the one table. The groups, the page of groups, `manage.py roles` and
docs/people.md are made of it or held against it.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from django.apps.registry import Apps
from django.apps.registry import apps as all_apps
from django.db import connections
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

VIEWER: Final = "viewer"
LISTENER: Final = "listener"
OPERATOR: Final = "operator"
ARCHIVIST: Final = "archivist"
AUDITOR: Final = "auditor"
ADMINISTRATOR: Final = "administrator"

# Role → its rights. Who plays what was kept does not thereby hear what is said now.
RIGHTS: Final[Mapping[str, tuple[str, ...]]] = {
    VIEWER: ("view",),
    LISTENER: ("view", "listen", "play"),
    OPERATOR: ("view", "listen", "play", "speak", "control", "download", "annotate"),
    ARCHIVIST: ("view", "play", "download", "annotate"),
    AUDITOR: ("view", "play", "audit"),
    ADMINISTRATOR: ("view", "settings", "people", "audit"),
}

# Right → what it means to who reads the table.
MEANINGS: Final[Mapping[str, str | Promise]] = {
    "view": _("See calls, figures, alarms and settings"),
    "listen": _("Listen to live calls"),
    "play": _("Play recordings and read transcripts"),
    "speak": _("Speak and play prompts into calls"),
    "control": _("Give orders, place calls, handle alarms"),
    "download": _("Download recordings"),
    "annotate": _("Note, tag, rate and follow up calls"),
    "settings": _("Change rules, profiles, prompts and tags"),
    "people": _("Change users and groups"),
    "audit": _("Read and export the audit log"),
}

AUDIT: Final = "calls.view_auditentry"
# Right → Django's permissions. `view` is beside these every "calls.view_…" but AUDIT.
PERMISSIONS: Final[Mapping[str, frozenset[str]]] = {
    "view": frozenset(),
    "listen": frozenset({"calls.listen_live"}),
    "play": frozenset({"calls.play_recording", "calls.read_transcript"}),
    "speak": frozenset({"calls.speak_live", "calls.play_prompt"}),
    "control": frozenset(
        {
            "calls.control_streaming",
            "calls.pause_recording",
            "calls.control_transcription",
            "calls.hang_up",
            "calls.place_call",
            "calls.control_participants",
            "calls.transfer_call",
            "calls.run_preflight",
            "calls.handle_alarm",
        }
    ),
    "download": frozenset({"calls.download_recording"}),
    "annotate": frozenset({"calls.review_call"}),
    "settings": frozenset(
        {
            f"calls.{what}_{model}"
            for what in ("add", "change", "delete")
            for model in ("answerrule", "streamingprofile", "prompt", "tag")
        }
        | {"calls.delete_savedview", "calls.run_preflight"}
    ),
    "people": frozenset(
        f"auth.{what}_{model}"
        for what in ("view", "add", "change", "delete")
        for model in ("user", "group")
    )
    | {f"calls.{what}_ssoidentity" for what in ("add", "change", "delete")},
    "audit": frozenset({AUDIT}),
}

# What two of them were called when there were two.
FORMER: Final[Mapping[str, str]] = {OPERATOR: "Operators", AUDITOR: "Auditors"}
_APPS = ("calls", "auth")

# By database, as it was before the migrations that now run: permissions and groups.
_before: dict[str, tuple[set[str], set[str]]] = {}


def role_has(role: str, permission: str) -> bool:
    """Say whether a role, as it is delivered, has a permission ("calls.hang_up")."""
    if "view" in RIGHTS[role] and permission.startswith("calls.view_"):
        return permission != AUDIT or "audit" in RIGHTS[role]
    return any(permission in PERMISSIONS[right] for right in RIGHTS[role])


def rights_note(*, using: str = "default", **_: Any) -> None:
    """Note which permissions and groups there are, before migrations make new ones."""
    tables = connections[using].introspection.table_names()
    permission = all_apps.get_model("auth", "Permission")
    group = all_apps.get_model("auth", "Group")
    if not {permission._meta.db_table, group._meta.db_table} <= set(tables):
        _before[using] = (set(), set())
        return
    groups = group.objects.using(using).values_list("name", flat=True)
    _before[using] = (set(_permissions(permission, using)), set(groups))


def groups_make(*, apps: Apps = all_apps, using: str = "default", **_: Any) -> None:
    """Give the groups their rights, after migrations have made the permissions.

    A group that was there keeps what staff made of it. It gets those of its rights that
    this release brought, or after an upgrade nobody could do what is new.
    """
    try:
        group_model = apps.get_model("auth", "Group")
        permission_model = apps.get_model("auth", "Permission")
        apps.get_model("calls", "Call")
    except LookupError:
        # Migrated only so far; the tables come later.
        return
    known, groups = _before.pop(using, (None, None))
    ours = _permissions(permission_model, using)
    for role in RIGHTS:
        group, is_made = group_model.objects.using(using).get_or_create(name=role)
        wanted = {name: key for name, key in ours.items() if role_has(role, name)}
        if is_made or (groups is not None and not {role, FORMER.get(role)} & groups):
            group.permissions.set(wanted.values())
        elif known:
            new = (key for name, key in wanted.items() if name not in known)
            group.permissions.add(*new)


def _permissions(permission: Any, using: str) -> dict[str, int]:
    """Return the key of each permission that a role may have, by its name."""
    rows = permission.objects.using(using).filter(content_type__app_label__in=_APPS)
    found: Iterable[tuple[str, str, int]] = rows.values_list(
        "content_type__app_label", "codename", "pk"
    )
    return {f"{app}.{codename}": key for app, codename, key in found}


def rights_rows() -> list[tuple[str, str, list[bool]]]:
    """Return each right, what it means, and for each role whether it has it."""
    return [
        (right, str(words), [right in rights for rights in RIGHTS.values()])
        for right, words in MEANINGS.items()
    ]


def rights_markdown() -> str:
    """Return the table of roles and rights as Markdown."""
    head = ["right", "what it is", *RIGHTS]
    lines = [head, ["---", "---", *(":-:" for _ in RIGHTS)]]
    lines += [
        [right, words, *("✓" if has else "" for has in row)]
        for right, words, row in rights_rows()
    ]
    return "\n".join(f"| {' | '.join(line)} |".replace("  ", " ") for line in lines)
