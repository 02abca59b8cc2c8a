"""Who may do what: one line for each route, socket, action and order.

`test_matrix` walks what there is and fails for what has no line here.

A rule is the permission that is needed ("a b": both; "a | b": either), or

- PUBLIC: everybody, signed in or not; the page is no secret
- MACHINE: no person's matter: it answers all alike, by its own token or not at all
- STAFF: whoever is signed in as staff
- OWNER: whose it is; here it is the superuser's
- NOBODY: not even superusers
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

PUBLIC, MACHINE, STAFF, NOBODY = "public", "machine", "staff", "nobody"
OWNER = "owner"


@dataclass(frozen=True, slots=True)
class Rule:
    """What a visit needs: the right, how it is made, and what the address names."""

    right: str
    method: str = "GET"
    form: Mapping[str, str] = field(default_factory=dict)
    names: Mapping[str, Any] = field(default_factory=dict)


def posts(right: str, names: Mapping[str, Any] | None = None, **form: str) -> Rule:
    return Rule(right, "POST", form, names or {})


CALL, ALARM = "calls.view_call", "calls.view_alarm"
PLAY, DOWNLOAD = "calls.play_recording", "calls.download_recording"
READ, REVIEW = "calls.view_call calls.read_transcript", "calls.review_call"
HANDLE, SETTINGS = "calls.handle_alarm", "calls.change_answerrule"

ROUTES: Final[dict[str, Rule | str]] = {
    "/": PUBLIC,
    "jsi18n": PUBLIC,
    # Coming in.
    "sign_in:login": PUBLIC,
    "sign_in:code": PUBLIC,
    "sign_in:enrol": PUBLIC,
    "sign_in:sso_begin": PUBLIC,
    "sign_in:sso_callback": PUBLIC,
    "sign_in:logout": posts(PUBLIC),
    "sign_in:second_factor": STAFF,
    # Machines.
    "eventgrid": posts(MACHINE),
    "callback": posts(MACHINE, {"secret": "x"}),
    "healthz": MACHINE,
    "readyz": MACHINE,
    "metrics": MACHINE,
    # Audio and what was said.
    "audio": PLAY,
    "peaks": PLAY,
    "manifest": "calls.view_recording",
    "download_flac": DOWNLOAD,
    "download_wav": DOWNLOAD,
    "stereo_flac": DOWNLOAD,
    "stereo_wav": DOWNLOAD,
    "sidecar": DOWNLOAD,
    "everything": DOWNLOAD,
    "prompt_audio": "calls.view_prompt | calls.play_prompt",
    "transcript": READ,
    "transcript_vtt": READ,
    "transcript_srt": READ,
    "transcript_txt": READ,
    "transcript_json": READ,
    # A call's page.
    "commands": CALL,
    "command": posts("calls.hang_up", {"kind": "hang_up"}),
    "timeline": CALL,
    "timeline_page": CALL,
    "markers": CALL,
    "listeners": CALL,
    "call_alarms": ALARM,
    "review": CALL,
    "tags": CALL,
    "note_add": posts(REVIEW, text="Heard."),
    "note_delete": posts(REVIEW),
    "tag_add": posts(REVIEW, name="refund"),
    "tag_remove": posts(REVIEW, name="refund"),
    "rating": posts(REVIEW, rating="3"),
    "follow_up": posts(REVIEW, needed="1"),
    # Alarms.
    "inbox:page": ALARM,
    "alarms_inbox": ALARM,
    "alarms_badges": PUBLIC,
    "alarms_handlers": HANDLE,
    "alarms_act": posts(HANDLE, act="acknowledge", ids="{alarm}"),
    "alarm_act": posts(HANDLE, {"name": "acknowledge"}),
    # The console.
    "systems:page": "calls.view_ingestprocess",
    "preflight:page": "calls.run_preflight",
    "preflight:check": posts("calls.run_preflight", {"name": "media-url"}),
    "admin:index": STAFF,
    "admin:search": STAFF,
    "admin:login": PUBLIC,
    "admin:logout": posts(PUBLIC),
    "admin:password_change": STAFF,
    "admin:password_change_done": STAFF,
    "admin:jsi18n": STAFF,
    # Neither is used: no form of ours completes, no model has a page elsewhere.
    "admin:autocomplete": NOBODY,
    "admin:view_on_site": NOBODY,
    "view_on_site": NOBODY,
    "admin:app_list": Rule(CALL, names={"app_label": "calls"}),
    "/admin/(?P<url>.*)$": NOBODY,
    # The archive.
    "admin:calls_call_export": posts(f"{DOWNLOAD} {CALL}", chosen="{call}"),
    "admin:calls_call_said": READ,
    "admin:calls_call_columns": posts(CALL),
    "admin:calls_call_view_save": posts(CALL, name="Mine"),
    "admin:calls_call_view_delete": posts("calls.delete_savedview"),
    "admin:calls_call_view_share": posts(OWNER),
    "admin:calls_call_view_default": posts(OWNER),
    # Orders.
    "admin:calls_call_order": Rule("calls.hang_up", names={"kind": "hang_up"}),
    "admin:calls_call_place": "calls.place_call",
    "admin:calls_call_connect": "calls.place_call",
    "admin:calls_call_bulk": Rule("calls.hang_up", names={"kind": "hang_up"}),
    "admin:calls_streamcommand_bulk": "calls.view_streamcommand",
    # Settings and people.
    "admin:calls_answerrule_forecast": "calls.view_answerrule",
    "admin:calls_answerrule_move": posts(SETTINGS, {"way": "up"}),
    "admin:calls_streamingprofile_make_default": "calls.change_streamingprofile",
    "admin:auth_user_password_change": "auth.change_user",
    # The audit log.
    "admin:calls_auditentry_csv": "calls.view_auditentry",
    "admin:calls_auditentry_jsonl": "calls.view_auditentry",
}

# Who may see the rows of a table, add, change and delete them, in the admin.
Table = tuple[str, str, str, str]


def facts(model: str) -> Table:
    """What was received or done: nobody adds, changes or deletes it."""
    return (f"calls.view_{model}", NOBODY, NOBODY, NOBODY)


def kept(model: str, app: str = "calls") -> Table:
    """What people keep."""
    view, add, change, delete = (
        f"{app}.{what}_{model}" for what in ("view", "add", "change", "delete")
    )
    return (view, add, change, delete)


TABLES: Final[dict[str, Table]] = {
    "calls_alarm": facts("alarm"),
    "calls_auditentry": facts("auditentry"),
    "calls_call": facts("call"),
    "calls_callevent": facts("callevent"),
    "calls_connection": facts("connection"),
    "calls_ingestprocess": facts("ingestprocess"),
    "calls_participant": facts("participant"),
    "calls_recording": facts("recording"),
    "calls_streamcommand": facts("streamcommand"),
    "calls_subscription": facts("subscription"),
    "calls_track": facts("track"),
    "calls_answerrule": kept("answerrule"),
    "calls_prompt": kept("prompt"),
    "calls_streamingprofile": kept("streamingprofile"),
    "calls_tag": kept("tag"),
    "auth_group": kept("group", "auth"),
    "auth_user": kept("user", "auth"),
}

# Orders to ACS, by hand or by a rule of ours (NOBODY).
ORDERS: Final[dict[str, str]] = {
    "answer": NOBODY,
    "reject": NOBODY,
    "redirect": NOBODY,
    "place_call": NOBODY,
    "connect_call": NOBODY,
    "start_streaming": "calls.control_streaming",
    "stop_streaming": "calls.control_streaming",
    "pause": "calls.pause_recording",
    "resume": "calls.pause_recording",
    "start_transcription": "calls.control_transcription",
    "stop_transcription": "calls.control_transcription",
    "update_transcription": "calls.control_transcription",
    "play_prompt": "calls.play_prompt",
    "stop_audio": "calls.play_prompt",
    "start_tones": "calls.control_participants",
    "stop_tones": "calls.control_participants",
    "hang_up": "calls.hang_up",
    "leave": "calls.hang_up",
    "mute": "calls.control_participants",
    "hold": "calls.control_participants",
    "unhold": "calls.control_participants",
    "add_participant": "calls.control_participants",
    "remove_participant": "calls.control_participants",
    "transfer": "calls.transfer_call",
}

# What is done to many rows of a list at once.
ACTIONS: Final[dict[str, str]] = {
    "calls_answerrule switch_on": SETTINGS,
    "calls_answerrule switch_off": SETTINGS,
    "calls_answerrule delete_selected": "calls.delete_answerrule",
    "calls_streamingprofile delete_selected": "calls.delete_streamingprofile",
    "calls_tag delete_selected": "calls.delete_tag",
    "auth_group delete_selected": "auth.delete_group",
    "auth_user delete_selected": "auth.delete_user",
    "auth_user second_factor_reset": "auth.change_user",
    "auth_user sign_in_unlock": "auth.change_user",
    "calls_call export": DOWNLOAD,
}

SOCKETS: Final[dict[str, str]] = {
    "ws/dashboard": CALL,
    "ws/calls/<uuid:call_id>": CALL,
    "ws/listen/<uuid:call_id>": f"{CALL} calls.listen_live",
    "ws/talk/<uuid:call_id>": f"{CALL} calls.speak_live",
}

ALARM_ACTS: Final[dict[str, str]] = dict.fromkeys(
    ("acknowledge", "assign", "close", "reopen"), HANDLE
)
