"""Start, stop and hang up: as row action, on the call's page, and for many calls."""

from collections import defaultdict
from collections.abc import Callable
from typing import Any, TypeVar, cast
from uuid import UUID

from django.contrib import messages
from django.contrib.admin import helpers
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.html import format_html
from unfold import decorators
from unfold.enums import ActionVariant
from unfold.forms import BaseDialogForm

from calls import audit_log, control
from calls.admin.base import FactAdmin
from calls.markup import call_title
from calls.models import Call, CommandKind

Method = TypeVar("Method", bound=Callable[..., Any])
# A summary that names hundreds of calls helps nobody.
NAMED = 5


def dialog(title: str, description: str, submit: str) -> Any:
    """Return Unfold's dialog: an order is given by POST, after a second look."""
    return {
        "title": title,
        "description": description,
        "form_class": BaseDialogForm,
        "form_submit_text": submit,
    }


START_DIALOG = dialog(
    "Start streaming?",
    "ACS will dial our media address and send this call's audio from then on.",
    "Start streaming",
)
STOP_DIALOG = dialog(
    "Stop streaming?",
    "ACS stops sending this call's audio. What is said meanwhile is not recorded.",
    "Stop streaming",
)
HANG_UP_DIALOG = dialog(
    "Hang up for everyone?",
    "The call ends for all participants at once. This cannot be undone.",
    "Hang up",
)


def order(**options: Any) -> Callable[[Method], Method]:
    """Return Unfold's `action`, which says less of its type than it knows."""
    return cast(Callable[[Method], Method], decorators.action(**options))


class OrderActions(FactAdmin):
    """The admin of Call, as far as orders go: they are wherever they are needed."""

    actions = ("start_streaming", "stop_streaming", "hang_up")
    actions_row: Any = ("start_one", "stop_one", "hang_up_one")
    actions_detail: Any = ("start_one", "stop_one", "hang_up_one")

    def has_control_streaming_permission(self, request: HttpRequest, *_: Any) -> bool:
        """Say whether the user may start and stop streaming."""
        return request.user.has_perm("calls.control_streaming")

    def has_hang_up_permission(self, request: HttpRequest, *_: Any) -> bool:
        """Say whether the user may hang up."""
        return request.user.has_perm("calls.hang_up")

    # --- many calls ---------------------------------------------------------------

    @order(description="Start streaming", permissions=["control_streaming"])
    def start_streaming(self, request: HttpRequest, calls: QuerySet[Call]) -> None:
        """Ask for audio of the chosen calls."""
        give_orders(request, calls, CommandKind.START_STREAMING)

    @order(description="Stop streaming", permissions=["control_streaming"])
    def stop_streaming(self, request: HttpRequest, calls: QuerySet[Call]) -> None:
        """Ask for no more audio of the chosen calls."""
        give_orders(request, calls, CommandKind.STOP_STREAMING)

    @order(description="Hang up …", permissions=["hang_up"])
    def hang_up(
        self, request: HttpRequest, calls: QuerySet[Call]
    ) -> TemplateResponse | None:
        """End the chosen calls, after a page that names them."""
        if "confirmed" in request.POST:
            give_orders(request, calls, CommandKind.HANG_UP)
            return None
        context = {
            **self.admin_site.each_context(request),
            "title": "Hang up?",
            "calls": calls,
            "live": sum(call.is_live for call in calls),
            "opts": Call._meta,
            "checkbox": helpers.ACTION_CHECKBOX_NAME,
        }
        return TemplateResponse(request, "admin/calls/hang_up.html", context)

    # --- one call -----------------------------------------------------------------

    @order(
        description="Start streaming",
        permissions=["control_streaming"],
        url_path="start-streaming",
        icon="play_arrow",
        dialog=START_DIALOG,
    )
    def start_one(
        self, request: HttpRequest, form: BaseDialogForm, object_id: str
    ) -> HttpResponse:
        """Ask for this call's audio."""
        return give_one(request, object_id, CommandKind.START_STREAMING)

    @order(
        description="Stop streaming",
        permissions=["control_streaming"],
        url_path="stop-streaming",
        icon="stop",
        dialog=STOP_DIALOG,
    )
    def stop_one(
        self, request: HttpRequest, form: BaseDialogForm, object_id: str
    ) -> HttpResponse:
        """Ask for no more audio of this call."""
        return give_one(request, object_id, CommandKind.STOP_STREAMING)

    @order(
        description="Hang up",
        permissions=["hang_up"],
        url_path="hang-up",
        icon="call_end",
        variant=ActionVariant.DANGER,
        dialog=HANG_UP_DIALOG,
    )
    def hang_up_one(
        self, request: HttpRequest, form: BaseDialogForm, object_id: str
    ) -> HttpResponse:
        """End this call."""
        return give_one(request, object_id, CommandKind.HANG_UP)


def give_one(request: HttpRequest, object_id: str, kind: CommandKind) -> HttpResponse:
    """Give one order and go back to where the user was."""
    if not is_uuid(object_id):
        raise Http404
    call = get_object_or_404(Call, pk=object_id)
    give_orders(request, Call.objects.filter(pk=call.pk), kind)
    back = reverse("admin:calls_call_change", args=[call.pk])
    if request.headers.get("HX-Request"):
        # Unfold's dialog posts with htmx: the page under it is what must move on.
        return HttpResponse(headers={"HX-Redirect": back})
    return redirect(back)


def give_orders(request: HttpRequest, calls: QuerySet[Call], kind: CommandKind) -> None:
    """Ask for `kind` for each call; tell the user what was asked, skipped and why."""
    asked = 0
    skipped: dict[str, list[str]] = defaultdict(list)
    chosen = list(calls)
    bulk = {"calls": len(chosen)} if len(chosen) > 1 else None
    for call in chosen:
        try:
            audit_log.command_ask(request, call=call, kind=kind, details=bulk)
        except control.CommandRefused as refusal:
            skipped[str(refusal)].append(call_title(call))
        else:
            asked += 1
    if asked:
        noun = "1 call" if asked == 1 else f"{asked} calls"
        messages.success(request, f"{kind.label}: asked for {noun}.")
    for reason, titles in skipped.items():
        more = len(titles) - NAMED
        messages.warning(
            request,
            format_html(
                "{}: skipped {}. {} ({}{})",
                kind.label,
                len(titles),
                reason,
                ", ".join(titles[:NAMED]),
                f" and {more} more" if more > 0 else "",
            ),
        )


def is_uuid(text: object) -> bool:
    """Say whether `text` can be a call's key at all."""
    try:
        UUID(str(text))
    except ValueError:
        return False
    return True
