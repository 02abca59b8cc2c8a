"""What people make of a call, over HTTP: each answer is all of it as it is now.

400 with the reason in words for what makes no sense, 403 without permission, 404 for
an unknown call.
"""

from collections.abc import Callable
from functools import wraps
from uuid import UUID

from django.contrib.auth.decorators import permission_required
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils.translation import gettext as _
from django.views.decorators.http import (
    conditional_page,
    require_POST,
    require_safe,
)

from calls import review
from calls.audit import log as audit_log
from calls.models import Call
from calls.review import ReviewRefusedError

View = Callable[..., HttpResponse]


@require_safe
@permission_required("calls.view_call", raise_exception=True)
@conditional_page
def review_json(request: HttpRequest, call_id: UUID) -> HttpResponse:
    """Send what people have made of a call, or 304 if nothing is new."""
    call = _call(call_id)
    if call is None:
        return _answer(_("There is no such call."), 404)
    return _whole(request, call)


@require_safe
@permission_required("calls.view_call", raise_exception=True)
def tags_json(request: HttpRequest) -> HttpResponse:
    """Send tags that begin as asked, for completion."""
    beginning = review.clean(request.GET.get("q", ""))[: review.LONGEST_TAG]
    return JsonResponse({"tags": review.tag_names(beginning)})


def _changes(view: Callable[..., None]) -> View:
    """Let a view change a call's review, and answer with all of it."""

    @require_POST
    @wraps(view)
    def changing(request: HttpRequest, call_id: UUID, **more: object) -> HttpResponse:
        if not request.user.has_perm("calls.review_call"):
            return _answer(audit_log.FORBIDDEN, 403)
        call = _call(call_id)
        if call is None:
            return _answer(_("There is no such call."), 404)
        try:
            view(request, call, **more)
        except ReviewRefusedError as refusal:
            return _answer(str(refusal), 400)
        return _whole(request, call)

    return changing


@_changes
def note_add(request: HttpRequest, call: Call) -> None:
    """Add a note: `text`, and `at` in seconds if it is about a moment."""
    review.note_add(
        request, call, text=request.POST.get("text", ""), at=_number(request, "at")
    )


@_changes
def note_delete(request: HttpRequest, call: Call, note_id: int) -> None:
    """Delete a note of one's own."""
    review.note_delete(request, call, note_id)


@_changes
def tag_add(request: HttpRequest, call: Call) -> None:
    """Tag a call: `name`."""
    review.tag_add(request, call, request.POST.get("name", ""))


@_changes
def tag_remove(request: HttpRequest, call: Call) -> None:
    """Take a tag off: `name`."""
    review.tag_remove(request, call, review.clean(request.POST.get("name", "")))


@_changes
def rating_set(request: HttpRequest, call: Call) -> None:
    """Rate a call: `rating`, empty to take it back."""
    review.rating_set(request, call, _whole_number(request, "rating"))


@_changes
def follow_up_set(request: HttpRequest, call: Call) -> None:
    """Say whether to follow up: `needed` 1 or 0, and `assignee`, a user's key."""
    needed = request.POST.get("needed")
    if needed not in ("0", "1"):
        raise ReviewRefusedError(_("Say whether it is needed: 0 or 1."))
    assignee = _whole_number(request, "assignee")
    review.follow_up_set(request, call, needed=needed == "1", assignee_id=assignee)


def _number(request: HttpRequest, name: str) -> float | None:
    text = request.POST.get(name, "").strip()
    try:
        return float(text) if text else None
    except ValueError as exc:
        raise ReviewRefusedError(_("“%(name)s” is no number.") % {"name": name}) from (
            exc
        )


def _whole_number(request: HttpRequest, name: str) -> int | None:
    number = _number(request, name)
    if number is None:
        return None
    # What is not finite is not whole either. Beyond 2 ** 53 a float is not exact.
    if not abs(number) < 2**53 or number != int(number):
        raise ReviewRefusedError(_("“%(name)s” is no whole number.") % {"name": name})
    return int(number)


def _call(call_id: UUID) -> Call | None:
    rows = Call.objects.defer("incoming_call_context")
    return rows.select_related("follow_up_assignee").filter(pk=call_id).first()


def _whole(request: HttpRequest, call: Call) -> HttpResponse:
    if request.method == "POST":
        # What was set by key alone has to be read to be named.
        call = _call(call.pk) or call
    response = JsonResponse(review.review_of(call, request.user))
    response["Cache-Control"] = "private, no-cache"
    return response


def _answer(reason: str, status: int) -> JsonResponse:
    return JsonResponse({"reason": reason}, status=status)
