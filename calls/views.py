"""Orders from the wallboard and a call's page over HTTP."""

from uuid import UUID

from django.http import HttpRequest, JsonResponse
from django.views.decorators.http import require_POST

from calls import control
from calls.audit import log as audit_log
from calls.models import Call, CommandKind
from calls.orders import ORDERS


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
        command = audit_log.command_ask(
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
