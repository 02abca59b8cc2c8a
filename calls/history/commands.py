"""Commands: asked, sent, accepted and settled are moments of their own."""

from collections.abc import Iterator

from calls.audit.words import argument_words
from calls.history.entries import Detail, Entry, EntryKind
from calls.history.rows import CallRows
from calls.models import CommandState, Evidence, StreamCommand
from calls.orders import ORDERS
from calls.words import Code, explain_event

TONES = {
    CommandState.CONFIRMED: "good",
    CommandState.FAILED: "bad",
    CommandState.TIMED_OUT: "bad",
}
# Who says what settles a command.
WITNESSES = {
    Evidence.CALLBACK: "ACS",
    Evidence.ASKED: "ACS",
    Evidence.ANSWER: "ACS",
    Evidence.MEDIA: "Media",
}


def command_entries(rows: CallRows) -> Iterator[Entry]:
    """Yield the moments of every command."""
    for command in rows.commands:
        yield _asked(command)
        if command.sent_at:
            yield _sent(command)
        if command.accepted_at:
            told = ORDERS[command.kind].told
            yield Entry(
                key=f"command:{command.pk}:accepted",
                at=command.accepted_at,
                kind=EntryKind.COMMAND,
                what=f"{command.get_kind_display()}: accepted",
                source=told,
                told=f"{told} took the order. That proves nothing yet.",
                tone="busy",
            )
        if command.state == CommandState.QUEUED and command.attempts:
            yield _waiting(command)
        if command.settled_at:
            yield _settled(command)


def _asked(command: StreamCommand) -> Entry:
    details: dict[str, Detail] = {}
    if command.bulk_id:
        details["bulk"] = str(command.bulk_id)
    return Entry(
        key=f"command:{command.pk}:asked",
        at=command.asked_at,
        kind=EntryKind.COMMAND,
        what=f"{command.get_kind_display()}: asked",
        source=str(command.asked_by or "System"),
        why=command.why,
        told=argument_words(_besides(command)),
        details=details | {"command": str(command.pk)},
    )


def _besides(command: StreamCommand) -> dict[str, str]:
    """Return the arguments that are not said by the entry's why."""
    given: dict[str, str] = command.arguments
    return {name: value for name, value in given.items() if value != command.why}


def _sent(command: StreamCommand) -> Entry:
    """Return the last sending: a row keeps no moments of those before it."""
    assert command.sent_at  # noqa: S101 the caller's condition, for the type
    earlier = command.attempts - 1
    times = "once" if earlier == 1 else f"{earlier} times"
    return Entry(
        key=f"command:{command.pk}:sent:{command.attempts}",
        at=command.sent_at,
        kind=EntryKind.COMMAND,
        what=f"{command.get_kind_display()}: sent"
        + (f", try {command.attempts}" if earlier > 0 else ""),
        source="System",
        told=f"It had been sent {times} before." if earlier > 0 else "",
        details={"tries": command.attempts},
        tone="busy",
    )


def _waiting(command: StreamCommand) -> Entry:
    return Entry(
        key=f"command:{command.pk}:due:{command.attempts}",
        at=command.due_at,
        kind=EntryKind.COMMAND,
        what=f"{command.get_kind_display()}: next try due",
        source="System",
        told=command.result,
        details={"tries": command.attempts},
        tone="busy",
    )


def _settled(command: StreamCommand) -> Entry:
    assert command.settled_at  # noqa: S101 the caller's condition, for the type
    state = CommandState(command.state)
    code, subcode = command.result_code, command.result_subcode
    told = command.result
    if not told and (code or subcode) and state != CommandState.CONFIRMED:
        told = str(explain_event(code=code, subcode=subcode))
    given = str(Code(code, subcode))
    if state == CommandState.FAILED and given and given not in told:
        told = f"{told} ({given})".strip()
    details: dict[str, Detail] = {"tries": command.attempts}
    if command.evidence:
        details["evidence"] = command.get_evidence_display()
    details |= {
        name: number
        for name, number in (("code", code), ("subcode", subcode))
        if number is not None
    }
    return Entry(
        key=f"command:{command.pk}:settled",
        at=command.settled_at,
        kind=EntryKind.COMMAND,
        what=f"{command.get_kind_display()}: {state.label.lower()}",
        source=WITNESSES.get(Evidence(command.evidence), "System"),
        told=told,
        details=details,
        tone=TONES.get(state, ""),
    )
