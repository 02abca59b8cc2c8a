"""What the archive's list keeps for people: their columns and their saved views."""

from __future__ import annotations

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from calls.admin.archive.columns import SESSION_COLUMNS, columns_known
from calls.admin.archive.params import VIEW_VAR
from calls.admin.archive.views import (
    may_delete_all,
    query_kept,
    view_address,
    views_for,
)
from calls.audit.log import note_request
from calls.models import AuditAction, SavedView

# Views of one user: who has more does not find them again either.
MOST_VIEWS = 50


def list_address(query: str = "") -> str:
    """Return the address of the list, the whole one without a query string."""
    return f"{reverse('admin:calls_call_changelist')}{query or f'?{VIEW_VAR}=all'}"


def _may_look(request: HttpRequest) -> None:
    if not request.user.has_perm("calls.view_call"):
        raise PermissionDenied


@require_POST
def columns_choose(request: HttpRequest) -> HttpResponse:
    """Keep the columns that somebody wants to see, in their session."""
    _may_look(request)
    if "reset" in request.POST:
        request.session.pop(SESSION_COLUMNS, None)
    else:
        chosen = columns_known(request.POST.getlist("columns"))
        request.session[SESSION_COLUMNS] = chosen
    # A view has columns of its own: its list is shown with these from now on.
    query = query_kept(request.POST.get("query", ""))
    return redirect(list_address(f"?{query.urlencode()}" if query else ""))


@require_POST
def view_save(request: HttpRequest) -> HttpResponse:
    """Save the list as it is under a name; one's own of that name is replaced."""
    _may_look(request)
    name = request.POST.get("name", "").replace("\0", "").strip()[:80]
    query = query_kept(request.POST.get("query", ""))
    own = SavedView.objects.filter(owner_id=request.user.pk)
    if not name:
        messages.error(request, _("A view needs a name."))
        return redirect(list_address(f"?{query.urlencode()}" if query else ""))
    if own.exclude(name=name).count() >= MOST_VIEWS:
        messages.error(
            request,
            _("You have %(n)s views: delete one first.") % {"n": MOST_VIEWS},
        )
        return redirect(list_address(f"?{query.urlencode()}" if query else ""))
    is_default = request.POST.get("default") == "1"
    with transaction.atomic():
        if is_default:
            own.update(is_default=False)
        view, _made = SavedView.objects.update_or_create(
            owner_id=request.user.pk,
            name=name,
            defaults={
                "query": query.urlencode(),
                "columns": columns_known(request.POST.getlist("columns")),
                "is_shared": request.POST.get("shared") == "1",
                "is_default": is_default,
            },
        )
        _note(request, view, "saved")
    messages.success(request, _("Saved the view “%(name)s”.") % {"name": name})
    return redirect(list_address(view_address(view)))


@require_POST
def view_delete(request: HttpRequest, pk: int) -> HttpResponse:
    """Delete a view: one's own, or a shared one with the right to."""
    view = _visible(request, pk)
    if view.owner_id != request.user.pk and not may_delete_all(request.user):
        raise PermissionDenied
    with transaction.atomic():
        _note(request, view, "deleted")
        view.delete()
    messages.success(request, _("Deleted the view “%(name)s”.") % {"name": view.name})
    return redirect(list_address())


@require_POST
def view_share(request: HttpRequest, pk: int) -> HttpResponse:
    """Share one's own view with everybody who may see calls, or no longer."""
    view = _own(request, pk)
    with transaction.atomic():
        SavedView.objects.filter(pk=view.pk).update(is_shared=not view.is_shared)
        _note(request, view, "hid" if view.is_shared else "shared")
    return redirect(list_address(view_address(view)))


@require_POST
def view_default(request: HttpRequest, pk: int) -> HttpResponse:
    """Open the list with one's own view from now on, or no longer."""
    view = _own(request, pk)
    own = SavedView.objects.filter(owner_id=request.user.pk)
    try:
        with transaction.atomic():
            own.update(is_default=False)
            own.filter(pk=view.pk).update(is_default=not view.is_default)
    except IntegrityError:
        # Another window chose another view at this very moment: that one it is.
        pass
    return redirect(list_address(view_address(view)))


def _note(request: HttpRequest, view: SavedView, how: str) -> None:
    """Put on the audit log what is done to a view."""
    details = {"how": how, "query": view.query, "is_shared": view.is_shared}
    note_request(AuditAction.SETTING_CHANGED, request, obj=view, details=details)


def _visible(request: HttpRequest, pk: int) -> SavedView:
    _may_look(request)
    return get_object_or_404(views_for(request.user), pk=pk)


def _own(request: HttpRequest, pk: int) -> SavedView:
    view = _visible(request, pk)
    if view.owner_id != request.user.pk:
        raise PermissionDenied
    return view
