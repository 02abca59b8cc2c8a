"""Having ACS tell of keys by callbacks, from when a phone is in a call."""

from contextlib import suppress
from uuid import UUID

from calls.control import CommandRefused, command_ask
from calls.models import Call, CallState, CommandKind, StreamCommand
from calls.orders.tones import KINDS
from calls.roster import was_away
from streaming.protocol import ParticipantKind, participant_kind

WHY = "By the profile: keys are told by callbacks too."


def tones_recognise(call_id: UUID) -> int:
    """Ask for the keys of each phone in a call, once, if its profile wants them.

    Returns how many were asked for. Only phones: nobody else presses keys. What was
    asked before, whatever became of it, is not asked again, unless the phone has left
    since and joined anew: people may.
    """
    call = Call.objects.select_related("profile").filter(pk=call_id).first()
    if call is None or call.profile is None or not call.profile.tone_recognition:
        return 0
    if call.state != CallState.CONNECTED:
        return 0
    asked = {
        command.arguments.get("participant"): command
        for command in call.commands.filter(kind__in=KINDS).order_by("asked_at")
    }
    present = call.participants.filter(left_at=None).values_list("raw_id", flat=True)
    count = 0
    for raw_id in present:
        if participant_kind(raw_id) is not ParticipantKind.PHONE:
            continue
        if raw_id in asked and not _is_void(call, raw_id, asked[raw_id]):
            continue
        # Not connected as yet, by what ACS told: the next callback asks again.
        with suppress(CommandRefused):
            command_ask(
                call=call,
                kind=CommandKind.START_TONES,
                why=WHY,
                arguments={"participant": raw_id},
            )
            count += 1
    return count


def _is_void(call: Call, raw_id: str, last: StreamCommand) -> bool:
    """Say whether a phone's last order began what ended when it left the call."""
    is_start = last.kind == CommandKind.START_TONES
    return is_start and was_away(call, raw_id, last.asked_at)
