"""What we said into a call: when it was heard, how much of it, and why no more."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from calls import formats
from calls.history.entries import Detail, Entry, EntryKind
from calls.history.rows import CallRows
from calls.instants import instant
from calls.models import Utterance

State = Utterance.State
TONES = {State.PLAYED: "good", State.FAILED: "bad"}


def utterance_name(said: Utterance) -> str:
    """Return who or what spoke: “Prompt “Recording notice””."""
    match said.kind:
        case Utterance.Kind.PROMPT:
            return f"Prompt “{said.name}”"
        case Utterance.Kind.TALK:
            return f"{said.name} at the console"
        case _:
            return f"Handler {said.name}"


def spoken_entries(rows: CallRows) -> Iterator[Entry]:
    """Yield when something began to be heard, and how it ended."""
    for said in rows.utterances:
        began = instant(said.start_us) if said.start_us is not None else None
        if began is not None:
            yield _entry(said, "begun", began, "begins", tone="busy")
        if said.state in (State.PLAYED, State.STOPPED, State.FAILED):
            yield _ended(said, began)
        elif began is None:
            words = "It is heard after what is being said."
            yield _entry(said, "queued", said.queued_at, "waits", told=words)


def _ended(said: Utterance, began: datetime | None) -> Entry:
    heard = timedelta(milliseconds=said.played_ms)
    length = formats.brief(heard.total_seconds())
    told = f"Heard: {length}" if began is not None else "Nothing of it was heard"
    # Reasons are parts of sentences: "stopped by ada".
    told += f", {said.reason.rstrip('.')}." if said.reason else "."
    details: dict[str, Detail] = {"heard_ms": said.played_ms, "sent_ms": said.sent_ms}
    if said.underruns:
        details["underruns"] = said.underruns
    return _entry(
        said,
        "ended",
        began + heard if began is not None else said.queued_at,
        str(said.get_state_display()).lower(),
        told=told,
        tone=TONES.get(State(said.state), ""),
        more=details,
    )


def _entry(
    said: Utterance,
    which: str,
    at: datetime,
    what: str,
    *,
    told: str = "",
    tone: str = "",
    more: dict[str, Detail] | None = None,
) -> Entry:
    details: dict[str, Detail] = {"utterance": str(said.pk)}
    if said.command_id:
        details["command"] = str(said.command_id)
    return Entry(
        key=f"utterance:{said.pk}:{which}",
        at=at,
        kind=EntryKind.SPOKEN,
        what=f"{utterance_name(said)}: {what}",
        source=_who(said),
        told=told,
        details=details | (more or {}),
        tone=tone,
    )


def _who(said: Utterance) -> str:
    """Return who wanted it to be said."""
    if said.kind == Utterance.Kind.TALK:
        return said.name
    if said.command and said.command.asked_by:
        return str(said.command.asked_by)
    return "System"
