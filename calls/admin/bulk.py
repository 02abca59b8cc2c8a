"""One order for many calls: the preview, the confirmation, and how far it is."""

import uuid
from functools import partial
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.contrib.admin import AdminSite
from django.db.models import Case, IntegerField, QuerySet, Value, When
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse

from calls import formats
from calls.audit import log as audit_log
from calls.bulk import MOST_CALLS, bulk_give, bulk_look, bulk_progress
from calls.buttons import Button
from calls.models import Call, CommandState, StreamCommand
from calls.offers import outcome_words
from calls.orders import ORDERS, CommandRefused

# Of the calls of one reason, and of the commands of one bulk action.
NAMED = 10
LISTED = 500
# What went wrong is looked for first, what is done last.
_RANK = {
    CommandState.FAILED: 0,
    CommandState.TIMED_OUT: 0,
    CommandState.QUEUED: 1,
    CommandState.SENT: 1,
}


def bulk_preview(
    site: AdminSite,
    request: HttpRequest,
    button: Button,
    calls: QuerySet[Call],
    *,
    error: str = "",
) -> HttpResponse | None:
    """Show what an order would do to each of the chosen calls.

    None, and a message, if so many were chosen that nobody could look through them, or
    if the order makes no sense for any call.
    """
    chosen = list(_plain(calls)[: MOST_CALLS + 1])
    if len(chosen) > MOST_CALLS:
        most = formats.count(MOST_CALLS)
        messages.error(request, f"Choose at most {most} calls: you chose more.")
        return None
    try:
        look = bulk_look(chosen, button.kind, button.example)
    except CommandRefused as refused:
        messages.error(request, f"{button.kind.label}: {refused}")
        return None
    context = {
        **site.each_context(request),
        "title": f"{button.kind.label}: {len(chosen)} chosen",
        "opts": Call._meta,
        "button": button,
        "look": look,
        "chosen": ",".join(str(call.pk) for call in chosen),
        "agreed": ",".join(str(call.pk) for call in look.would),
        # Made here, so that a second press or a repeated request changes nothing.
        "bulk_id": request.POST.get("bulk_id") or uuid.uuid4(),
        "given": request.POST,
        "error": error,
        "named": NAMED,
        "takes": formats.brief(look.seconds) if look.seconds else "",
    }
    return TemplateResponse(request, "admin/calls/bulk_preview.html", context)


def bulk_confirm(site: AdminSite, request: HttpRequest, button: Button) -> HttpResponse:
    """Give the order to the calls the preview said, and show how far it is.

    A call that the preview skipped stays skipped, whatever it has become meanwhile.
    """
    agreed, bulk_id = _ids(request.POST.get("agreed", "")), _bulk_id(request)
    arguments = {one.name: request.POST.get(one.name, "") for one in button.fields}
    try:
        # The orders that are offered in bulk read their arguments alike for every call.
        ORDERS[button.kind].read(Call(), arguments)
    except CommandRefused as refused:
        chosen = Call.objects.filter(pk__in=_ids(request.POST.get("chosen", "")))
        return bulk_preview(site, request, button, chosen, error=str(refused)) or (
            redirect("admin:calls_call_changelist")
        )
    skipped = bulk_give(
        _plain(Call.objects.filter(pk__in=agreed)),
        button.kind,
        bulk_id=bulk_id,
        arguments=arguments,
        ask=partial(audit_log.command_ask_noted, request),
    )
    for reason, calls in skipped.items():
        words = f"{button.kind.label}: skipped {len(calls)} since the preview. {reason}"
        messages.warning(request, words)
    if bulk_progress(bulk_id) is None:
        messages.info(request, f"{button.kind.label}: nothing was asked.")
        return redirect("admin:calls_call_changelist")
    return redirect("admin:calls_streamcommand_bulk", bulk_id)


def bulk_page(site: AdminSite, request: HttpRequest, bulk_id: UUID) -> HttpResponse:
    """Show how far a bulk action is; the page fetches itself until all is settled."""
    progress = bulk_progress(bulk_id)
    if progress is None:
        raise Http404
    rank = Case(
        *(When(state=state, then=Value(at)) for state, at in _RANK.items()),
        default=Value(2),
        output_field=IntegerField(),
    )
    commands = (
        StreamCommand.objects.filter(bulk_id=bulk_id)
        .select_related("call", "asked_by")
        .defer("call__incoming_call_context")
        .order_by(rank, "-settled_at", "asked_at")
    )
    listed = [(one, outcome_words(one)) for one in commands[:LISTED]]
    context: dict[str, Any] = {
        **site.each_context(request),
        "title": f"{progress.kind.label}: {formats.count(progress.calls)} calls",
        "opts": StreamCommand._meta,
        "progress": progress,
        "listed": listed,
        "hidden": progress.total - len(listed),
        # What stands first in the list may be an order that followed from it.
        "first": commands.order_by("asked_at")[0],
    }
    return TemplateResponse(request, "admin/calls/bulk_progress.html", context)


def _plain(calls: QuerySet[Call]) -> QuerySet[Call]:
    """Return calls without the figures of the list, which cost a query each row."""
    plain = Call.objects.filter(pk__in=calls.order_by().values("pk"))
    # Whether transcription makes sense is the profile's matter.
    plain = plain.select_related("profile").defer("incoming_call_context")
    return plain.order_by("-rang_at")


def _ids(text: str) -> list[UUID]:
    try:
        return [UUID(part) for part in text.split(",") if part]
    except ValueError as exc:
        raise Http404 from exc


def _bulk_id(request: HttpRequest) -> UUID:
    try:
        return UUID(request.POST.get("bulk_id", ""))
    except ValueError as exc:
        raise Http404 from exc
