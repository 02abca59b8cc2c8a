"""Orders in the admin: a page for each about one call, and row and bulk actions.

All of them come from `calls.buttons`: a new order needs nothing here.
"""

from collections.abc import Callable
from typing import Any, cast
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from unfold.dataclasses import UnfoldAction

from calls import control
from calls.admin.base import FactAdmin
from calls.admin.bulk import bulk_confirm, bulk_preview
from calls.admin.placing import begin_page
from calls.audit import log as audit_log
from calls.buttons import Button, Section, button_of, buttons_by_hand
from calls.markup import call_title
from calls.models import Call, CommandKind
from calls.offers import may
from calls.orders import ORDERS, Given

Action = Callable[[Any, HttpRequest, QuerySet[Call]], HttpResponse | None]


class OrderActions(FactAdmin):
    """The admin of Call, as far as orders go: they are wherever they are needed."""

    def get_urls(self) -> list[URLPattern]:
        """Add a page for each order about one call, and the bulk action's second half.

        Row actions are told apart by the name of their route alone.
        """
        view = self.admin_site.admin_view
        single = "<uuid:call_id>/orders/"
        pages = [
            path(
                f"{single}{button.kind}/",
                view(self.order_view),
                {"kind": str(button.kind)},
                name=f"calls_call_order_{button.kind}",
            )
            for button in _rows()
        ]
        return [
            *pages,
            path(
                f"{single}<str:kind>/", view(self.order_view), name="calls_call_order"
            ),
            path(
                "place/",
                view(self.begin_view),
                {"kind": CommandKind.PLACE_CALL},
                name="calls_call_place",
            ),
            path(
                "connect/",
                view(self.begin_view),
                {"kind": CommandKind.CONNECT_CALL},
                name="calls_call_connect",
            ),
            path("bulk/<str:kind>/", view(self.bulk_view), name="calls_call_bulk"),
            *super().get_urls(),
        ]

    # --- a new call ---------------------------------------------------------------

    def begin_view(self, request: HttpRequest, kind: CommandKind) -> HttpResponse:
        """Place a call, or connect to a running one."""
        return begin_page(self.admin_site, request, kind)

    # --- one call -----------------------------------------------------------------

    def get_actions_row(self, request: HttpRequest) -> list[UnfoldAction]:
        """Return the orders about whole calls that the user may give."""
        return [
            UnfoldAction(
                action_name=f"calls_call_order_{button.kind}",
                method=cast(Any, _NoMethod()),
                description=str(button.kind.label),
                path=button.kind,
                icon=button.icon,
            )
            for button in _rows()
            if may(request.user, button)
        ]

    def order_view(
        self, request: HttpRequest, call_id: UUID, kind: str
    ) -> HttpResponse:
        """Ask what an order has to be told, give it, and go to the call's page."""
        call = get_object_or_404(Call, pk=call_id)
        button = self._allowed(request, kind, call)
        given = (request.POST or request.GET).dict()
        refusal = ""
        if request.method == "POST":
            refusal = give_order(request, call, button.kind, given)
            if not refusal:
                return redirect("admin:calls_call_change", call.pk)
        else:
            asked = button.example | given
            refusal = control.command_refusal(call, button.kind, asked)
        context = {
            **self.admin_site.each_context(request),
            "title": f"{button.kind.label}?",
            "opts": Call._meta,
            "call": call,
            "button": button,
            "given": given,
            "refusal": refusal,
        }
        return TemplateResponse(request, "admin/calls/order.html", context)

    # --- many calls ---------------------------------------------------------------

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        """Return the orders that make sense for many calls, each with a preview."""
        found: dict[str, Any] = super().get_actions(request)
        for button in buttons_by_hand():
            if button.is_bulk and may(request.user, button):
                label = f"{button.kind.label} …"
                found[str(button.kind)] = (_previews(button), str(button.kind), label)
        return found

    def bulk_view(self, request: HttpRequest, kind: str) -> HttpResponse:
        """Give the order that was previewed."""
        button = self._allowed(request, kind)
        if request.method != "POST" or not button.is_bulk:
            return redirect("admin:calls_call_changelist")
        return bulk_confirm(self.admin_site, request, button)

    def _allowed(
        self, request: HttpRequest, kind: str, call: Call | None = None
    ) -> Button:
        """Return the button of an order that is given by hand, if the user may."""
        order = ORDERS.get(kind)
        if order is None or not order.by_hand:
            raise Http404
        if not request.user.has_perm(order.permission):
            audit_log.note_forbidden(request, CommandKind(kind), call=call)
            raise PermissionDenied
        return button_of(kind)


class _NoMethod:
    """What Unfold looks for in a row action beside its route."""

    attrs: dict[str, str] = {}


def _rows() -> list[Button]:
    return [one for one in buttons_by_hand() if one.section != Section.PARTICIPANT]


def _previews(button: Button) -> Action:
    """Return the bulk action that begins with the preview of an order."""

    def preview(
        model_admin: Any, request: HttpRequest, calls: QuerySet[Call]
    ) -> HttpResponse | None:
        return bulk_preview(model_admin.admin_site, request, button, calls)

    return preview


def give_order(
    request: HttpRequest, call: Call, kind: CommandKind, given: Given
) -> str:
    """Give one order and tell the user; return why not, if it is refused."""
    try:
        audit_log.command_ask_noted(request, call=call, kind=kind, arguments=given)
    except control.CommandRefused as refusal:
        return str(refusal)
    messages.success(request, f"{kind.label}: asked for {call_title(call)}.")
    return ""


def is_uuid(text: object) -> bool:
    """Say whether `text` can be a call's key at all."""
    try:
        UUID(str(text))
    except ValueError:
        return False
    return True
