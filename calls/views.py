"""Orders about one call over HTTP: what may be given, and giving it."""

from uuid import UUID

from django.http import HttpRequest, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from calls import control
from calls.audit import log as audit_log
from calls.buttons import Button, Section, buttons_by_hand
from calls.models import Call, CommandKind
from calls.models.control import OPEN_COMMAND_STATES
from calls.offers import (
    Actor,
    CallOffers,
    Offer,
    call_offers,
    may,
    outcome_words,
    paused_words,
)
from calls.orders import ORDERS

NOT_YOURS = "You may not do that."
NOBODY = "Nobody is in the call."


@require_safe
@never_cache
def call_commands(request: HttpRequest, call_id: UUID) -> JsonResponse:
    """Answer every order that is given by hand: may the user, and does it make sense.

    Orders about participants are told for each who is in the call. `recent` are the
    call's newest commands; `signature` changes when anything the page shows does.
    403 without permission to see calls, 404 for an unknown call.
    """
    if not request.user.has_perm("calls.view_call"):
        return JsonResponse({"reason": "You may not see calls."}, status=403)
    call = Call.objects.defer("incoming_call_context").filter(pk=call_id).first()
    if call is None:
        return JsonResponse({"reason": "There is no such call."}, status=404)
    found = call_offers(call, request.user)
    return JsonResponse(
        {
            "call": _call(call),
            "signature": found.signature,
            "commands": [
                _command(button, found, request.user) for button in buttons_by_hand()
            ],
            "recent": [
                {
                    "id": str(command.pk),
                    "kind": command.kind,
                    "participant": command.arguments.get("participant", ""),
                    "label": command.get_kind_display(),
                    "state": command.state,
                    "state_label": command.get_state_display(),
                    "words": outcome_words(command),
                    "open": command.state in OPEN_COMMAND_STATES,
                }
                for command in found.recent
            ],
        }
    )


def _call(call: Call) -> dict[str, object]:
    return {
        "id": str(call.pk),
        "live": call.is_live,
        "state": call.state,
        "state_label": call.get_state_display(),
        "streaming": call.streaming_state,
        "streaming_label": call.get_streaming_state_display(),
        "desired": call.desired_streaming,
        "paused": paused_words(call),
    }


def _command(button: Button, found: CallOffers, user: Actor) -> dict[str, object]:
    is_about_one = button.section == Section.PARTICIPANT
    rows = found.people.values()
    offered = [one for row in rows for one in row] if is_about_one else found.whole
    mine = [offer for offer in offered if offer.button.kind == button.kind]
    is_allowed = may(user, button)
    return {
        "kind": button.kind,
        "label": str(button.kind.label),
        "icon": button.icon,
        "danger": button.is_danger,
        "per_participant": is_about_one,
        "may": is_allowed,
        "refusal": _refusal(mine) if is_allowed else NOT_YOURS,
        "participants": [
            {"raw_id": one.participant, "name": one.name, "refusal": one.refusal}
            for one in mine
            if is_about_one
        ],
    }


def _refusal(offered: list[Offer]) -> str:
    """Return why an order makes no sense: for none of those it could be about."""
    if not offered:
        return NOBODY
    return "" if any(not one.refusal for one in offered) else offered[0].refusal


@require_POST
def call_command(request: HttpRequest, call_id: UUID, kind: str) -> JsonResponse:
    """Ask ACS for something about one call; answer what became of the asking.

    201 with the command, 403 without permission, 404 for an unknown call or kind, 409
    with the reason in words when the order makes no sense now.
    """
    order = ORDERS.get(kind)
    if order is None or not order.by_hand:
        return JsonResponse({"reason": "There is no such command."}, status=404)
    call = Call.objects.filter(pk=call_id).first()
    if not request.user.has_perm(order.permission):
        audit_log.note_forbidden(request, CommandKind(kind), call=call)
        return JsonResponse({"reason": audit_log.FORBIDDEN}, status=403)
    if call is None:
        return JsonResponse({"reason": "There is no such call."}, status=404)
    try:
        command = audit_log.command_ask_noted(
            request,
            call=call,
            kind=CommandKind(kind),
            arguments=request.POST.dict(),
        )
    except control.CommandRefused as refusal:
        return JsonResponse({"reason": str(refusal)}, status=409)
    return JsonResponse(
        {
            "id": str(command.pk),
            "label": command.get_kind_display(),
            "state": command.state,
            "state_label": command.get_state_display(),
        },
        status=201,
    )
