"""Transcripts over HTTP: read beside the player, taken away as files, searched."""

from __future__ import annotations

from uuid import UUID

from django.contrib import admin
from django.contrib.auth.decorators import permission_required
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template.response import TemplateResponse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from calls.audit import log as audit_log
from calls.downloads.naming import attachment
from calls.history.views import found
from calls.models import AuditAction, TranscriptSegment
from calls.responses import private
from calls.transcripts.asked import LONGEST, asked_of
from calls.transcripts.files import FORMS, file_name
from calls.transcripts.noting import request_note
from calls.transcripts.reading import found_of, transcript_of
from calls.transcripts.search import newest_saying

PERMISSION = "calls.read_transcript"
ROWS = 25
# Of one call on its page; eight hours of talk without a pause have fewer.
MOST = 20_000
# Of what was said more often the newest are shown; who looks for others needs a word
# more, or the archive's filters.
MOST_FOUND = 1_000

may_read = permission_required(("calls.view_call", PERMISSION), raise_exception=True)


@require_safe
@may_read
def transcript_json(request: HttpRequest, call_id: UUID) -> HttpResponse:
    """Send what was said in a call; with `?newest=` only so many pieces of it.

    `older`: whether there are older pieces, which are left out.
    """
    call = found(call_id)
    asked = request.GET.get("newest", "")
    newest = int(asked) if asked.isdecimal() and len(asked) < 9 else MOST
    transcript = transcript_of(call, newest=min(newest, MOST))
    if transcript.segments:
        request_note(request, "read", call=call)
    told = {"segments": transcript.as_json(), "older": transcript.has_older}
    return private(JsonResponse(told))


@require_safe
@may_read
def transcript_file(request: HttpRequest, call_id: UUID, form: str) -> HttpResponse:
    """Send a call's transcript as a file to keep; that it was taken is on the log."""
    call = found(call_id)
    kind, made = FORMS[form]
    transcript = transcript_of(call)
    if request.method == "GET":
        details = {"did": "exported", "format": form}
        audit_log.note_request(
            AuditAction.TRANSCRIPT_READ, request, call=call, obj=call, details=details
        )
    response = HttpResponse(made(transcript), content_type=kind)
    response["Content-Disposition"] = attachment(file_name(transcript, form))
    return private(response)


@require_safe
def said_page(request: HttpRequest) -> HttpResponse:
    """Show pieces of transcripts that say what was asked for, newest first."""
    if not request.user.has_perms(("calls.view_call", PERMISSION)):
        raise PermissionDenied
    query = request.GET.get("q", "").replace("\0", "").strip()[:LONGEST]
    asked = asked_of(query)
    if asked:
        search_note(request, query)
    keys, is_more = newest_saying(asked, MOST_FOUND)
    page = Paginator(keys, ROWS).get_page(request.GET.get("p"))
    rows = TranscriptSegment.objects.filter(pk__in=[pk for _, pk in page])
    rows = rows.order_by("-start_us", "-pk").select_related("call")
    context = {
        **admin.site.each_context(request),
        "title": _("Words said"),
        "query": query,
        "asked": asked,
        "most": LONGEST,
        "page": page,
        "is_more": is_more,
        "found": found_of(rows.defer("call__incoming_call_context", "raw"), asked),
    }
    return TemplateResponse(request, "admin/calls/said.html", context)


def search_note(request: HttpRequest, query: str) -> None:
    """Put it on the audit log that somebody searches transcripts, and for what."""
    request_note(request, "searched", words=query)
