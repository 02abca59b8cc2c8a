"""What may be ordered of calls as they stand, and why the rest may not.

The answers are those of `control.command_refusal`, found with few queries: one for all
that is under way, however many calls and kinds there are.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from uuid import UUID

from django.contrib.auth.models import AnonymousUser, User

from calls import formats
from calls.buttons import Button, Section, buttons_by_hand
from calls.models import Call, CommandKind, CommandState, Participant, StreamCommand
from calls.orders import (
    ORDERS,
    Arguments,
    CommandRefused,
    Given,
    Order,
    under_way,
)
from streaming.protocol import NOBODY

RECENT = 12

Actor = User | AnonymousUser


@dataclass(frozen=True, slots=True)
class Offer:
    """A button for one call, or for one participant: a `refusal` disables it."""

    button: Button
    refusal: str
    participant: str = ""
    name: str = ""
    is_under_way: bool = False

    @property
    def key(self) -> str:
        """Return what tells this button from every other on the page."""
        return f"{self.button.kind} {self.participant}".strip()

    @property
    def title(self) -> str:
        """Return the whole name of what it does, and to whom."""
        kind = str(self.button.kind.label)
        return f"{kind}: {self.name}" if self.name else kind

    @property
    def hint(self) -> str:
        """Return why it cannot be pressed, else what to know before pressing it."""
        return self.refusal or str(self.button.warning or self.button.note)


@dataclass(frozen=True, slots=True)
class CallOffers:
    """All buttons about one call: for the whole of it, and by participant."""

    call: Call
    whole: Sequence[Offer]
    people: dict[str, list[Offer]]
    recent: Sequence[StreamCommand]
    sockets: Sequence[tuple[UUID, datetime | None]] = ()

    @property
    def sections(self) -> list[tuple[Section, list[Offer]]]:
        """Return the buttons about the whole call, by group."""
        groups: dict[Section, list[Offer]] = defaultdict(list)
        for offer in self.whole:
            groups[offer.button.section].append(offer)
        return [(section, groups[section]) for section in Section if section in groups]

    @property
    def fields_by_kind(self) -> dict[str, "OfferedFields"]:
        """Return what dialogs have to ask for, as the page's script reads it."""
        everything = [
            *self.whole,
            *(one for row in self.people.values() for one in row),
        ]
        return {offer.button.kind: dialog_of(offer.button) for offer in everything}

    @property
    def signature(self) -> str:
        """Return a text that changes whenever something the page shows does."""
        call = self.call
        shown = [
            *(call.state, call.desired_streaming, call.streaming_state),
            *(call.streaming_reason, call.paused_at, call.paused_why),
            *(call.desired_transcription, call.transcription_state),
            *(call.transcription_reason, call.transcription_locale),
            *(call.archive_state, call.connection_id, call.end_reason),
            *((one.pk, one.state, one.result) for one in self.recent),
            *self.sockets,
            *((offer.key, offer.refusal) for offer in self.whole),
            *(
                (offer.key, offer.refusal)
                for row in self.people.values()
                for offer in row
            ),
        ]
        return hashlib.sha256(repr(shown).encode()).hexdigest()[:16]


OfferedFields = dict[str, object]


def dialog_of(button: Button) -> OfferedFields:
    """Return what a dialog says and asks before an order is given, for the script."""
    return {
        "title": str(button.kind.label),
        "label": str(button.label),
        "warning": str(button.warning),
        "note": str(button.note),
        "danger": button.is_danger,
        "dialog": button.needs_dialog,
        "fields": [
            {
                "name": field.name,
                "label": str(field.label),
                "help": str(field.help),
                "required": field.required,
                "quick": field.quick,
                "control": field.control,
                "choices": [asdict(one) for one in field.choices],
                "offered": list(field.offered),
            }
            for field in button.fields
        ],
    }


def may(user: Actor, button: Button) -> bool:
    """Say whether a user may give an order."""
    return user.has_perm(button.order.permission)


def refusals(
    calls: Sequence[Call], kind: CommandKind, arguments: Given
) -> dict[UUID, str]:
    """Return why an order would be refused for each call; empty where it would not.

    One query for all calls, for orders about whole calls. Raises `CommandRefused` if
    the arguments themselves are no good.
    """
    order = ORDERS[kind]
    if not calls:
        return {}
    read = order.read(calls[0], arguments)
    open_of = open_commands(calls)
    return {
        call.pk: order.refusal(call, read)
        or under_way(order, read, open_of.get(call.pk, []))
        for call in calls
    }


def call_offers(call: Call, user: Actor) -> CallOffers:
    """Return every button about a call that the user may press, or sees disabled."""
    shown = [button for button in buttons_by_hand() if may(user, button)]
    about_one = [one for one in shown if one.section == Section.PARTICIPANT]
    commands = open_commands([call]).get(call.pk, [])
    is_asked = call.is_live and about_one
    # Mixed audio is nobody who could be muted, nor are we.
    present = call.participants.filter(left_at=None).exclude(raw_id__in=NOBODY)
    people = present if is_asked else ()
    return CallOffers(
        call=call,
        whole=[
            _offer(call, button, commands)
            for button in shown
            if button.section != Section.PARTICIPANT
        ],
        people={
            person.raw_id: [
                _offer(call, button, commands, person) for button in about_one
            ]
            for person in people
        },
        recent=list(call.commands.order_by("-asked_at")[:RECENT]),
        sockets=list(
            call.connections.order_by("opened_at").values_list("pk", "closed_at")
        ),
    )


def open_commands(calls: Iterable[Call]) -> dict[UUID, list[StreamCommand]]:
    """Return what is under way for each call, the newest first, with one query."""
    found: dict[UUID, list[StreamCommand]] = defaultdict(list)
    rows = StreamCommand.objects.open().filter(call__in=[call.pk for call in calls])
    for command in rows.order_by("-asked_at"):
        found[command.call_id].append(command)
    return found


def outcome_words(command: StreamCommand) -> str:
    """Return what became of a command so far, as a sentence or two."""
    kind = command.get_kind_display()
    match command.state:
        case CommandState.QUEUED if command.attempts:
            said = "will be tried again"
        case CommandState.QUEUED:
            said = "waits to be sent"
        case CommandState.SENT:
            said = "sent, waiting for evidence"
        case _:
            said = command.get_state_display().lower()
    return f"{kind}: {said}. {command.result}".strip()


def paused_words(call: Call) -> str:
    """Return since when and why a call's recording is paused; empty if it is not."""
    return pause_words(call.paused_at, call.paused_why)


def pause_words(at: datetime | None, why: str) -> str:
    """Return the same of a pause that began at `at`, None if there is none."""
    if at is None:
        return ""
    reason = f": {why}" if why else ""
    return f"Paused{reason}, since {formats.time_of_day(at)}"


def _offer(
    call: Call,
    button: Button,
    commands: Sequence[StreamCommand],
    person: Participant | None = None,
) -> Offer:
    given = button.example | ({"participant": person.raw_id} if person else {})
    return Offer(
        button=button,
        refusal=_refusal(call, button.order, given, person, commands),
        participant=person.raw_id if person else "",
        name=formats.who(person.display_name, person.raw_id) if person else "",
        is_under_way=any(
            one.kind == button.kind
            and one.arguments.get("participant", "") == given.get("participant", "")
            for one in commands
        ),
    )


def _refusal(
    call: Call,
    order: Order,
    given: Arguments,
    person: Participant | None,
    commands: Sequence[StreamCommand],
) -> str:
    try:
        # Who is offered is in the call: there is no need to look them up again.
        read = given if person else order.read(call, given)
    except CommandRefused as refused:
        return str(refused)
    return order.refusal(call, read) or under_way(order, read, commands)
