"""Audit entries as sentences: "asked for “Stop streaming”", without who and when."""

from collections.abc import Callable, Iterator
from typing import Any

from django.apps import apps

from calls import formats
from calls.models import AuditAction, AuditEntry
from streaming.protocol import ParticipantKind, participant_kind

LONGEST = 80
# What stands for a value that is not for the log.
HIDDEN = "…"


def sentence(entry: AuditEntry) -> str:
    """Return what was done, to go on after the name of who did it."""
    return SENTENCES[AuditAction(entry.action)](entry)


def argument_words(arguments: Any) -> str:
    """Return a command's arguments for people: "target +1 206 555 0100, locale de-DE".

    Whatever names a party is shown as one; numbers in groups. What has a name beside
    its key is shown by its name.
    """
    if not isinstance(arguments, dict):
        return ""
    shown = {
        str(name).removesuffix("_name"): value
        # PostgreSQL keeps the members of an object in an order of its own.
        for name, value in sorted(arguments.items())
        if f"{name}_name" not in arguments
    }
    return ", ".join(
        f"{name.replace('_', ' ').removesuffix(' raw id')} {_argument(value)}"
        for name, value in shown.items()
        if value not in (None, "", [], {})
    )


def _argument(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(_argument(each) for each in value)
    if isinstance(value, str) and participant_kind(value) != ParticipantKind.UNKNOWN:
        return formats.party(value)
    return str(value)


def _order(details: dict[str, Any]) -> Iterator[str]:
    yield f"“{details.get('command') or details.get('kind', '?')}”"
    if words := argument_words(details.get("arguments")):
        yield f" ({words})"
    if details.get("bulk"):
        yield ", in one bulk action"
    if why := details.get("why"):
        yield f", because: {why}"


def _asked(entry: AuditEntry) -> str:
    return "".join(["asked for ", *_order(entry.details)])


def _refused(entry: AuditEntry) -> str:
    reason = entry.details.get("reason", "")
    return "".join(["was refused ", *_order(entry.details), f": {reason}"])


def _downloaded(entry: AuditEntry) -> str:
    form = str(entry.details.get("format", ""))
    if entry.object_type == "calls.call":
        # Of all of a call: stereo, the side-car, everything as a zip.
        return f"downloaded the call as {form}"
    return f"downloaded the recording {entry.object_title} as {form.upper()}"


def _exported(entry: AuditEntry) -> str:
    """Details: how many `calls`; of a backup its `folder`, and `with_recordings`."""
    details = entry.details
    if details.get("command") == "backup":
        what = "" if details.get("with_recordings") else " without recordings"
        return f"made a backup{what} in {details.get('folder', '?')}"
    return f"downloaded the recordings of {entry.details.get('calls', '?')} calls"


def _listened(entry: AuditEntry) -> str:
    """Details: `seconds` the listening lasted, `heard` seconds of the call heard."""
    seconds = entry.details.get("seconds")
    told = "stopped listening to the call"
    if entry.details.get("noted_by"):
        # Their web process ended and took the moment with it.
        return f"{told}, as their web process ended"
    return told if seconds is None else f"{told} after {formats.clock(seconds)}"


def _spoke(entry: AuditEntry) -> str:
    """Details: `interrupts`, whether what was being said was stopped for it."""
    told = "began to speak into the call"
    return (
        f"{told}, over what was being played"
        if entry.details.get("interrupts")
        else told
    )


def _fell_silent(entry: AuditEntry) -> str:
    """Details: `seconds` that were said, and `why` no more."""
    seconds = entry.details.get("seconds")
    told = "stopped speaking into the call"
    if entry.details.get("noted_by"):
        return f"{told}, as their web process ended"
    return told if seconds is None else f"{told} after {seconds:.1f} s"


def _handled(entry: AuditEntry) -> str:
    """Details: `did` (acknowledged, assigned, closed …), `to` a user, `why`."""
    details = entry.details
    told = f"{details.get('did', 'changed')} the alarm “{entry.object_title}”"
    if to := details.get("to"):
        told += f" to {to}"
    return f"{told}, because: {why}" if (why := details.get("why")) else told


def _reviewed(entry: AuditEntry) -> str:
    """Details: `did`, a sentence's rest: "rated the call 4"."""
    return str(entry.details.get("did", "reviewed the call"))


def _viewed(entry: AuditEntry) -> str:
    if entry.object_type == "calls.call":
        return "opened the call's page"
    return f"opened the page of the {_kind(entry)} {entry.object_title} of the call"


def _transcript(entry: AuditEntry) -> str:
    """Details: `did` (read, searched, exported), `words` looked for, the `format`."""
    match entry.details.get("did"):
        case "searched":
            return f"searched transcripts for “{entry.details.get('words', '')}”"
        case "exported":
            form = str(entry.details.get("format", "")).upper()
            return f"exported the call's transcript as {form}"
        case _:
            return "read the call's transcript"


def _change(entry: AuditEntry) -> str:
    details = entry.details
    told = f"{details.get('how', 'changed')} {_kind(entry)} “{entry.object_title}”"
    fields = details.get("fields")
    if details.get("how") == "changed" and isinstance(fields, dict):
        changes = "; ".join(_field(name, pair) for name, pair in sorted(fields.items()))
        return f"{told}: {changes}" if changes else told
    return told


def _field(name: str, pair: Any) -> str:
    old, new = pair if isinstance(pair, list) and len(pair) == 2 else ("?", pair)
    words = name.replace("_", " ")
    return f"{words} {_value(old)} → {_value(new)}" if new != HIDDEN else words


def _value(value: Any) -> str:
    match value:
        case None | "" | []:
            return "nothing"
        case bool():
            return "yes" if value else "no"
        case list():
            text = ", ".join(str(each) for each in value)
        case _:
            text = str(value)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"


def _kind(entry: AuditEntry) -> str:
    """Return what kind of thing was changed; its name in the table if it is no more."""
    try:
        return str(apps.get_model(entry.object_type)._meta.verbose_name)
    except (LookupError, ValueError):
        return entry.object_type


SENTENCES: dict[AuditAction, Callable[[AuditEntry], str]] = {
    AuditAction.COMMAND_ASKED: _asked,
    AuditAction.COMMAND_REFUSED: _refused,
    AuditAction.SETTING_CHANGED: _change,
    AuditAction.USER_CHANGED: _change,
    AuditAction.PROMPT_CHANGED: _change,
    AuditAction.RECORDING_PLAYED: lambda one: (
        f"played the recording {one.object_title}"
    ),
    AuditAction.RECORDING_DOWNLOADED: _downloaded,
    AuditAction.TIMELINE_EXPORTED: lambda _: "exported the call's timeline",
    AuditAction.AUDIT_EXPORTED: lambda _: "exported the audit log",
    AuditAction.RECORDINGS_EXPORTED: _exported,
    AuditAction.LISTENING_STARTED: lambda _: "began to listen to the call",
    AuditAction.LISTENING_ENDED: _listened,
    AuditAction.TRANSCRIPT_READ: _transcript,
    AuditAction.SPEAKING_STARTED: _spoke,
    AuditAction.SPEAKING_ENDED: _fell_silent,
    AuditAction.ALARM_CHANGED: _handled,
    AuditAction.CALL_REVIEWED: _reviewed,
    AuditAction.CALL_VIEWED: _viewed,
    AuditAction.RECORDING_VIEWED: lambda one: (
        f"opened the page of the recording {one.object_title}"
    ),
    AuditAction.AUDIT_VIEWED: lambda _: "looked at the audit log",
    AuditAction.SIGNED_IN: lambda _: "signed in",
    AuditAction.SIGN_IN_FAILED: lambda _: "could not sign in",
    AuditAction.SIGNED_OUT: lambda _: "signed out",
}
