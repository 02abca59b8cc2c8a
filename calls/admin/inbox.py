"""The problem inbox: a page of its own, born with the first rows, fed by its script."""

from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from calls.alarms.filters import wanted_of
from calls.alarms.handling import PERMISSION
from calls.alarms.inbox import inbox
from calls.alarms.views import VIEW


@never_cache
@require_safe
def page(request: HttpRequest) -> HttpResponse:
    """Show what needs somebody. Staff who may see alarms only."""
    if not request.user.has_perm(VIEW):
        raise PermissionDenied
    user: Any = request.user
    context: dict[str, Any] = {
        **admin.site.each_context(request),
        "title": _("Problems"),
        "first": inbox(wanted_of(request.GET), user=user, now=timezone.now()),
        "rights": {
            "me": {"id": user.pk, "name": user.get_username()},
            "handle": user.has_perm(PERMISSION),
        },
    }
    return TemplateResponse(request, "admin/calls/inbox.html", context)


app_name = "inbox"
urlpatterns: list[URLPattern] = [path("", admin.site.admin_view(page), name="page")]
