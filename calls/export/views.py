"""Downloading the recordings of many calls: what will be in it, and the zip."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.contrib.admin import AdminSite
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet, Sum
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.http import content_disposition_header
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from calls.audit import log as audit_log
from calls.export.many import Choice, Export, Form, calls_for_export
from calls.models import AuditAction, Call, Recording, RecordingState
from calls.responses import BlockResponse, private

# Of one zip. Who needs more takes them day by day.
MOST_CALLS = 500
PERMISSION = "calls.download_recording"
LIST = "admin:calls_call_changelist"


def export_preview(
    site: AdminSite, request: HttpRequest, calls: QuerySet[Call]
) -> HttpResponse:
    """Show how much it will be, and ask in what form."""
    _may(request)
    keys = list(calls.values_list("pk", flat=True)[: MOST_CALLS + 1])
    chosen = keys[:MOST_CALLS]
    recordings = Recording.objects.filter(
        call_id__in=chosen, state=RecordingState.VERIFIED
    )
    tracks = recordings.filter(track__isnull=False).aggregate(
        bytes=Sum("audio_bytes"), samples=Sum("samples")
    )
    context = {
        **site.each_context(request),
        "title": _("Download recordings"),
        "opts": Call._meta,
        "chosen": ",".join(map(str, chosen)),
        "calls": len(chosen),
        "most": MOST_CALLS,
        "is_cut": len(keys) > MOST_CALLS,
        "with_audio": recordings.values("call_id").distinct().count(),
        "flac_bytes": tracks["bytes"] or 0,
        "wav_bytes": 2 * (tracks["samples"] or 0),
        "choices": [
            (Choice.TRACKS, _("A file for each participant")),
            (Choice.MIX, _("The mix of all")),
            (Choice.BOTH, _("Both")),
            (Choice.STEREO, _("Stereo: the caller left, the called party right (WAV)")),
        ],
        "forms": [(Form.FLAC, "FLAC"), (Form.WAV, "WAV")],
    }
    return TemplateResponse(request, "admin/calls/export.html", context)


@require_POST
def export_zip(request: HttpRequest) -> HttpResponseBase:
    """Send the zip; who took it is on the audit log before its first byte."""
    _may(request)
    calls = calls_for_export(_keys(request.POST.get("chosen", "")))
    if not calls:
        messages.error(request, _("None of these calls is there any more."))
        return redirect(LIST)
    export = Export(
        calls=calls,
        choice=_one_of(Choice, request.POST.get("choice"), Choice.TRACKS),
        form=_one_of(Form, request.POST.get("form"), Form.FLAC),
        at=timezone.now(),
        by=request.user.get_username(),
        has_transcripts=request.user.has_perm("calls.read_transcript"),
    )
    audit_log.note_request(
        AuditAction.RECORDINGS_EXPORTED,
        request,
        call=calls[0] if len(calls) == 1 else None,
        details={
            "calls": len(calls),
            "audio": export.choice.value,
            "format": export.form.value,
            "call_keys": [str(call.pk) for call in calls],
        },
    )
    _note_transcripts(request, export)
    response = BlockResponse(export.blocks(), content_type="application/zip")
    name = f"recordings-{timezone.localtime(export.at):%Y%m%d-%H%M%S}.zip"
    response["Content-Disposition"] = (
        content_disposition_header(True, name) or "attachment"
    )
    return private(response)


def _note_transcripts(request: HttpRequest, export: Export) -> None:
    said: list[Any] = [call for call in export.calls if export.says(call)]
    if said:
        audit_log.note_request(
            AuditAction.TRANSCRIPT_READ,
            request,
            call=said[0] if len(said) == 1 else None,
            details={
                "did": "exported",
                "format": "zip",
                "call_keys": [str(call.pk) for call in said],
            },
        )


def _may(request: HttpRequest) -> None:
    # Who may not see calls has none to choose from.
    if not request.user.has_perms([PERMISSION, "calls.view_call"]):
        raise PermissionDenied


def _keys(text: str) -> Sequence[UUID]:
    """Return the keys among what a form says; what is none is left out."""
    keys = []
    for part in text.split(",")[:MOST_CALLS]:
        try:
            keys.append(UUID(part))
        except ValueError:
            continue
    return keys


def _one_of(kind: Any, text: str | None, usual: Any) -> Any:
    return kind(text) if text in set(kind) else usual
