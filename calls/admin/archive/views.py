"""Saved views: which there are for somebody, and what opens where."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.contrib.admin.views.main import SEARCH_VAR
from django.db.models import Q, QuerySet
from django.http import HttpRequest, QueryDict

from calls.admin.archive.filters import NAMES
from calls.admin.archive.params import ROWS_VAR, SORT_VAR, VIEW_VAR
from calls.models import SavedView

# Of a view's query string; `page` and `view` belong to the moment.
KEPT = NAMES | {SEARCH_VAR, SORT_VAR, ROWS_VAR}
# A query string that fits no address bar is nobody's view.
LONGEST = 2_000
MOST_VIEWS = 100
HERE = "_archive_view"


@dataclass(frozen=True, slots=True)
class ViewChip:
    """A saved view as the list offers it."""

    view: SavedView
    address: str
    is_here: bool
    is_own: bool
    may_delete: bool


def views_for(user: Any) -> QuerySet[SavedView]:
    """Return a user's own views and the shared ones."""
    return SavedView.objects.filter(Q(owner_id=user.pk) | Q(is_shared=True))


def view_chips(request: HttpRequest) -> list[ViewChip]:
    """Return the views to choose from, own ones first."""
    views = views_for(request.user).select_related("owner").order_by("name", "pk")
    chips = [_chip(request, view) for view in views[:MOST_VIEWS]]
    return sorted(chips, key=lambda chip: not chip.is_own)


def _chip(request: HttpRequest, view: SavedView) -> ViewChip:
    is_own = view.owner_id == request.user.pk
    return ViewChip(
        view=view,
        address=view_address(view),
        is_here=request.GET.get(VIEW_VAR) == str(view.pk),
        is_own=is_own,
        may_delete=is_own or may_delete_all(request.user),
    )


def may_delete_all(user: Any) -> bool:
    """Say whether a user may delete shared views of others."""
    return bool(user.has_perm("calls.delete_savedview"))


def view_address(view: SavedView) -> str:
    """Return the query string that opens a view."""
    query = query_kept(view.query)
    query[VIEW_VAR] = str(view.pk)
    return f"?{query.urlencode()}"


def query_kept(text: str) -> QueryDict:
    """Return what of a query string makes a view: filters, search, order, rows."""
    kept = QueryDict(mutable=True)
    for name, value in QueryDict(text[:LONGEST]).items():
        if name in KEPT and value:
            kept[name] = str(value)
    return kept


def view_here(request: HttpRequest) -> SavedView | None:
    """Return the view that the address names, if there is one and it is for the user.

    Asked for more than once in a request, looked up once.
    """
    if not hasattr(request, HERE):
        given = request.GET.get(VIEW_VAR, "")
        is_key = given.isascii() and given.isdigit() and len(given) < 19
        found = views_for(request.user).filter(pk=int(given)) if is_key else None
        setattr(request, HERE, found.first() if found is not None else None)
    view: SavedView | None = getattr(request, HERE)
    return view


def opening_address(request: HttpRequest) -> str:
    """Return where a bare address leads: the user's default view, or the view it names.

    Empty if the list is to be shown as it is asked for.
    """
    if not request.GET:
        own = SavedView.objects.filter(owner_id=request.user.pk, is_default=True)
        default = own.first()
        return view_address(default) if default else ""
    named = view_here(request) if set(request.GET) == {VIEW_VAR} else None
    return view_address(named) if named and query_kept(named.query) else ""
