"""The timeline over HTTP: exported whole, and in part for a page that is open."""

from uuid import UUID

from django.contrib.auth.decorators import permission_required
from django.db import transaction
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404
from django.utils import timezone
from django.utils.http import content_disposition_header
from django.views.decorators.http import conditional_page, require_safe

from calls.audit import log as audit_log
from calls.history.export import file_name, timeline_of
from calls.history.page import timeline_part
from calls.models import AuditAction, Call


@require_safe
@permission_required("calls.view_call", raise_exception=True)
def timeline_json(request: HttpRequest, call_id: UUID) -> HttpResponse:
    """Send the whole timeline as a file. That it was taken is on the audit log."""
    call = found(call_id)
    with transaction.atomic():
        timeline = timeline_of(call, now=timezone.now())
        if request.method == "GET":
            audit_log.note_request(AuditAction.TIMELINE_EXPORTED, request, call=call)
    response = JsonResponse(timeline, json_dumps_params={"indent": 1})
    disposition = content_disposition_header(True, file_name(call))
    response["Content-Disposition"] = disposition or "attachment"
    response["Cache-Control"] = "private, no-store"
    return response


@require_safe
@permission_required("calls.view_call", raise_exception=True)
@conditional_page
def timeline_page(request: HttpRequest, call_id: UUID) -> HttpResponse:
    """Send the entries as the call's page shows them, or 304 if nothing is new."""
    is_whole = request.GET.get("timeline") == "all"
    call = found(call_id)
    if request.method == "GET":
        # Whoever asks without having opened the page.
        audit_log.view_note(
            AuditAction.CALL_VIEWED, request, call, patience=audit_log.KEPT_OPEN
        )
    response = JsonResponse(timeline_part(call, is_whole=is_whole))
    response["Cache-Control"] = "private, no-cache"
    return response


def found(call_id: UUID) -> Call:
    """Return the call, or answer 404."""
    return get_object_or_404(Call.objects.defer("incoming_call_context"), pk=call_id)
